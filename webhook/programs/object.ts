const elfMagic = Buffer.from('\x7fELF', 'latin1');
/** Offsets into the head of an ELF file, and what is there; see elf(5). */
const elf = { byteOrder: 5, littleEndian: 1, machine: 18, bpf: 247, head: 20 } as const;

/** Why these bytes are no compiled eBPF object, in words that follow their name, or undefined. */
export function objectProblem(bytes: Buffer): string | undefined {
  const hint = 'it must be what "clang -target bpf -c" writes';
  if (bytes.length < elf.head || !bytes.subarray(0, elfMagic.length).equals(elfMagic))
    return `is no ELF object; ${hint}`;
  const machine =
    bytes[elf.byteOrder] === elf.littleEndian
      ? bytes.readUInt16LE(elf.machine)
      : bytes.readUInt16BE(elf.machine);
  return machine === elf.bpf ? undefined : `is an ELF object for another machine than eBPF; ${hint}`;
}
