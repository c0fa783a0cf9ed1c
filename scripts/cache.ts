import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where something of this project is kept that may be deleted at any time. */
export function cacheDirectory(name: string): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'bpf-sidecar', name);
}
