import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exists, readIfThere } from './files.ts';

/** Everything that a sandbox keeps in files, one numbered directory for each. */
export const stateDirectory = '/run/bpf-sidecar-sandbox';

/** A slot: a number that one sandbox on this machine has, with a directory of its own. */
export interface Claim {
  slot: number;
  directory: string;
}

const slots = 32_768;

/** Takes the first free slot. The directory appears together with its owner, so a sweep never sees it half made. */
export function claim(): Claim {
  const draft = join(stateDirectory, `draft-${process.pid}`);
  mkdirSync(draft, { recursive: true, mode: 0o755 });
  writeFileSync(join(draft, 'owner'), `${process.pid} ${startTime(process.pid)}`);
  for (let slot = 0; slot < slots; slot++) {
    const directory = join(stateDirectory, String(slot));
    try {
      renameSync(draft, directory);
      return { slot, directory };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
    }
  }
  throw new Error(`all ${slots} sandboxes of this machine are taken; destroy some`);
}

export function release(claim: Claim): void {
  rmSync(claim.directory, { recursive: true, force: true });
}

/** The slots whose owner no longer runs. */
export function abandoned(): Claim[] {
  if (!exists(stateDirectory)) return [];
  return readdirSync(stateDirectory)
    .filter((name) => /^[0-9]+$/.test(name))
    .map((name) => ({ slot: Number(name), directory: join(stateDirectory, name) }))
    .filter((claim) => !ownerRuns(claim));
}

function ownerRuns({ directory }: Claim): boolean {
  const owner = readIfThere(join(directory, 'owner'));
  // Without a record the owner is just now removing the directory.
  if (owner === undefined) return true;
  const [pid, started] = owner.split(' ');
  return startTime(Number(pid)) === started;
}

/** When a process began, in clock ticks since boot: with it a pid names one process only. */
function startTime(pid: number): string | undefined {
  const stat = readIfThere(`/proc/${pid}/stat`);
  // The second field, the name in brackets, may hold blanks; the start time is the 22nd.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}
