import { closeSync, openSync, readSync } from 'node:fs';

/** <elf.h>, 64-bit and little-endian. */
const fileHeaderSize = 64;
const SHT_SYMTAB = 2;
const SHT_DYNSYM = 11;
const SHF_ALLOC = 2;
const STT_FUNC = 2;
const STT_GNU_IFUNC = 10;
const symbolSize = 24;

/** More than the largest executables have. */
const maxTableBytes = 256 * 1024 * 1024;
const maxSections = 10_000;

interface Section {
  type: number;
  flags: bigint;
  address: bigint;
  offset: number;
  size: number;
  link: number;
}

/**
 * Where the functions whose names are wanted begin in an executable or library, as offsets into the file, which uprobes
 * are attached by. Reads the symbol tables and nothing else. Throws an Error where the file is no such thing.
 */
export function findFunctions(path: string, isWanted: (name: string) => boolean): bigint[] {
  const file = openSync(path, 'r');
  try {
    const sections = readSections(file, path);
    const found = new Set<bigint>();
    for (const table of sections) {
      if (table.type !== SHT_SYMTAB && table.type !== SHT_DYNSYM) continue;
      const names = sections[table.link];
      if (names) collect(readAt(file, table), readAt(file, names), sections, isWanted, found);
    }
    return [...found].sort((a, b) => (a < b ? -1 : 1));
  } finally {
    closeSync(file);
  }
}

function readSections(file: number, path: string): Section[] {
  const header = readAt(file, { offset: 0, size: fileHeaderSize });
  if (header.length < fileHeaderSize || header.readUInt32BE(0) !== 0x7f454c46)
    throw new Error(`${path} is no ELF file`);
  if (header[4] !== 2 || header[5] !== 1) throw new Error(`${path} is no 64-bit little-endian ELF file`);
  const offset = Number(header.readBigUInt64LE(40));
  const size = header.readUInt16LE(58);
  const count = Math.min(header.readUInt16LE(60), maxSections);
  if (size < 64) return [];
  const table = readAt(file, { offset, size: size * count });
  return Array.from({ length: Math.floor(table.length / size) }, (_, i) => {
    const entry = table.subarray(i * size, (i + 1) * size);
    return {
      type: entry.readUInt32LE(4),
      flags: entry.readBigUInt64LE(8),
      address: entry.readBigUInt64LE(16),
      offset: Number(entry.readBigUInt64LE(24)),
      size: Number(entry.readBigUInt64LE(32)),
      link: entry.readUInt32LE(40),
    };
  });
}

function collect(
  symbols: Buffer,
  names: Buffer,
  sections: readonly Section[],
  isWanted: (name: string) => boolean,
  found: Set<bigint>,
): void {
  for (let at = 0; at + symbolSize <= symbols.length; at += symbolSize) {
    const type = symbols[at + 4]! & 0xf;
    if (type !== STT_FUNC && type !== STT_GNU_IFUNC) continue;
    const section = sections[symbols.readUInt16LE(at + 6)];
    const address = symbols.readBigUInt64LE(at + 8);
    // One that is only named here has no section.
    if (!section || (section.flags & BigInt(SHF_ALLOC)) === 0n || address === 0n) continue;
    if (!isWanted(stringAt(names, symbols.readUInt32LE(at)))) continue;
    found.add(address - section.address + BigInt(section.offset));
  }
}

function stringAt(strings: Buffer, start: number): string {
  const end = strings.indexOf(0, start);
  return end < 0 ? '' : strings.toString('latin1', start, end);
}

function readAt(file: number, { offset, size }: { offset: number; size: number }): Buffer {
  if (size > maxTableBytes)
    throw new Error(`a table of ${size} bytes is above the limit of ${maxTableBytes}`);
  if (!Number.isSafeInteger(offset)) throw new Error('a table begins beyond the end of every file');
  const bytes = Buffer.alloc(size);
  return bytes.subarray(0, readSync(file, bytes, 0, size, offset));
}
