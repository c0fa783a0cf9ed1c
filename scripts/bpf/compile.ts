import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const sourceDirectory = join(import.meta.dirname, '../../bpf');

/** Node's name of an architecture -> libbpf's. */
const targets = { x64: 'x86', arm64: 'arm64' } as const;
export type Arch = keyof typeof targets;
export const architectures = Object.keys(targets) as Arch[];

/** Where the distribution keeps asm/types.h: BPF has no headers of its own, and either architecture's do. */
const systemIncludes = ['/usr/include/x86_64-linux-gnu', '/usr/include/aarch64-linux-gnu'].filter(existsSync);

/**
 * Compiles one eBPF program with our headers at hand. It needs no headers of a kernel: see
 * bpf/include/kernel.bpf.h. Rejects with clang's own words.
 */
export async function compileObject(source: string, object: string, arch: Arch): Promise<void> {
  try {
    await run('clang', [
      ...['-g', '-O2', '-Wall', '-Werror', '-target', 'bpf', '-mcpu=v3', `-D__TARGET_ARCH_${targets[arch]}`],
      ...['-I', join(sourceDirectory, 'include'), ...systemIncludes.flatMap((path) => ['-idirafter', path])],
      ...['-c', source, '-o', object],
    ]);
    // DWARF goes, BTF stays: a tenth of the size.
    await run('llvm-strip', ['-g', object]);
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    throw new Error(stderr || message);
  }
}
