import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Until nobody writes there any more. */
const removal = 'cat > /dev/null; until rm -rf "$0"; do sleep 0.1; done';

/** A new directory that is gone when this process has ended, however that comes. */
export function temporaryDirectory(prefix: string): { path: string; remove(): Promise<void> } {
  const path = mkdtempSync(join(tmpdir(), prefix));
  const keeper = spawn('sh', ['-c', removal, path], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  const pipe = keeper.stdin as Socket;
  pipe.unref();
  keeper.unref();
  return {
    path,
    async remove() {
      keeper.ref();
      pipe.end();
      await once(keeper, 'exit');
    },
  };
}
