import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Arch, compileObject } from './compile.ts';

/** Compiles an eBPF program given as C, as a user would, and returns the object. */
export async function compileProgram(code: string): Promise<Buffer> {
  const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-'));
  try {
    const source = join(directory, 'program.bpf.c');
    writeFileSync(source, `${code}\nchar LICENSE[] SEC("license") = "GPL";\n`);
    await compileObject(source, `${source}.o`, process.arch as Arch);
    return readFileSync(`${source}.o`);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
