import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

/** Labels or annotations as kubelet writes them into a downward API file: sorted `key="value"` lines. */
export function formatMap(map: Readonly<Record<string, string>>): string {
  return Object.keys(map)
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map((key) => `${key}=${quote(map[key]!)}`)
    .join('\n');
}

const named: Record<string, string> = {
  '"': '\\"',
  '\\': '\\\\',
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};

/** A Go string literal, as `strconv.Quote` makes it: what is not printable is escaped, letters of any script are kept. */
export function quote(text: string): string {
  const escaped = text.replace(/["\\]|[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, (character) => {
    const code = character.codePointAt(0)!;
    const hex = (digits: number) => code.toString(16).padStart(digits, '0');
    if (Object.hasOwn(named, character)) return named[character]!;
    if (code < 0x80) return `\\x${hex(2)}`;
    return code < 0x10000 ? `\\u${hex(4)}` : `\\U${hex(8)}`;
  });
  return `"${escaped}"`;
}

/** The files of a volume, by their names. */
export type Files = Readonly<Record<string, string | Buffer>>;

/**
 * Writes all files of a volume at once, as kubelet does: they lie in a new hidden directory, and a reader
 * sees either all old or all new ones, because only the link `..data` changes. Nothing is written when nothing changed.
 */
export function writeVolume(directory: string, files: Files): void {
  const data = join(directory, '..data');
  if (existsSync(data) && holds(data, files)) return;
  const previous = existsSync(data) ? readlinkSync(data) : undefined;
  const next = mkdtempSync(
    join(directory, `..${new Date().toISOString().slice(0, 19).replace(/[-T:]/g, '_')}.`),
  );
  chmodSync(next, 0o755);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(next, name), content);
  symlinkSync(next.slice(directory.length + 1), `${data}_tmp`);
  renameSync(`${data}_tmp`, data);
  const links = readdirSync(directory).filter((name) => !name.startsWith('..'));
  for (const name of Object.keys(files))
    if (!links.includes(name)) symlinkSync(join('..data', name), join(directory, name));
  for (const name of links) if (!Object.hasOwn(files, name)) unlinkSync(join(directory, name));
  if (previous !== undefined) rmSync(join(directory, previous), { recursive: true });
}

function holds(directory: string, files: Files): boolean {
  const names = readdirSync(directory);
  return (
    names.length === Object.keys(files).length &&
    names.every(
      (name) =>
        files[name] !== undefined && readFileSync(join(directory, name)).equals(Buffer.from(files[name])),
    )
  );
}
