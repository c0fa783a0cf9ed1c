import { readFileSync } from 'node:fs';
import { forgetKernelBtf } from './libbpf/kernel-btf.ts';
import { libc } from './libbpf/native.ts';

const MADV_DONTNEED = 4;

/** With --expose-gc; as in V8's extensions/gc-extension.h. */
const { gc } = globalThis as {
  gc?: (options: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void;
};

/** Milliseconds: by then Prometheus has scraped, and the first scrapes leave as much behind as the start does. */
const secondTime = 20_000;

/** Shrinks the footprint now, and once more when the first scrapes have been. */
export function createShrinking(): { shrink(): void; stop(): void } {
  let again: NodeJS.Timeout | undefined;
  return {
    shrink() {
      shrinkFootprint();
      clearTimeout(again);
      again = setTimeout(shrinkFootprint, secondTime);
    },
    stop: () => clearTimeout(again),
  };
}

/**
 * Gives back what only the start and loading took: garbage and functions that ran once; megabytes of the kernel's BTF;
 * and of Node's own 100 MiB the pages that ran or were read. Those that are used again come back
 * from the page cache.
 */
export function shrinkFootprint(): void {
  forgetKernelBtf();
  gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  libc.malloc_trim(0);
  for (const { start, length } of untouchedCode(readFileSync('/proc/self/smaps', 'utf8')))
    libc.madvise(start, length, MADV_DONTNEED);
}

/** An area of memory, in bytes. */
interface Area {
  start: number;
  length: number;
}

/**
 * The areas of Node's executable, of those in /proc/<pid>/smaps (proc_pid_smaps(5)), that nobody can write and nobody has
 * written: one with a page of its own, such as the linker's relocations or a breakpoint, could not be read again from the
 * file.
 */
export function untouchedCode(smaps: string, executable = process.execPath): Area[] {
  return smaps.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m).flatMap((area) => {
    const [, start, end, path] = /^([0-9a-f]+)-([0-9a-f]+) r-[x-]p \S+ \S+ \S+ +(.*)$/m.exec(area) ?? [];
    if (path !== executable || !/^Anonymous: +0 kB$/m.test(area)) return [];
    return [{ start: Number(`0x${start}`), length: Number(`0x${end}`) - Number(`0x${start}`) }];
  });
}
