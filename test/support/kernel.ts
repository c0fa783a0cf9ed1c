import { readdirSync, readFileSync } from 'node:fs';
import { Library } from 'ffi-napi';

const nextId = ['int', ['uint32', 'pointer']];
const libbpf = new Library('libbpf.so.1', {
  bpf_prog_get_next_id: nextId,
  bpf_map_get_next_id: nextId,
  bpf_link_get_next_id: nextId,
} as never) as Record<string, (after: number, next: Buffer) => number>;

const kinds = ['prog', 'map', 'link'] as const;

/** What a process holds of programs, maps and links: `prog 17`, by the kernel's ids, sorted. */
export function heldBy(pid: number | 'self'): string[] {
  const directory = `/proc/${pid}/fdinfo`;
  const held = readdirSync(directory).flatMap((fd) => {
    const info = readOrEmpty(`${directory}/${fd}`);
    // A link's names its program too.
    const kind = kinds.findLast((candidate) => info.includes(`\n${candidate}_id:`));
    return kind === undefined ? [] : [`${kind} ${info.match(`\n${kind}_id:\t(\\d+)`)![1]}`];
  });
  return [...new Set(held)].sort();
}

/** Those that the kernel still has, whoever holds them. */
export function remaining(objects: readonly string[]): string[] {
  const present = new Set(kinds.flatMap((kind) => idsOf(kind).map((id) => `${kind} ${id}`)));
  return objects.filter((object) => present.has(object));
}

function idsOf(kind: (typeof kinds)[number]): number[] {
  const ids: number[] = [];
  const next = Buffer.alloc(4);
  while (libbpf[`bpf_${kind}_get_next_id`]!(ids.at(-1) ?? 0, next) === 0) ids.push(next.readUInt32LE());
  return ids;
}

/** Empty for a file descriptor that has just been closed, such as that of the listing itself. */
function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
