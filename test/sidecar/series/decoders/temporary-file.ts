import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What `use` returns for the path of a file with this text, which is gone afterwards. */
export function withFile<T>(text: string, use: (path: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-test-'));
  try {
    const path = join(directory, 'file');
    writeFileSync(path, text);
    return use(path);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
