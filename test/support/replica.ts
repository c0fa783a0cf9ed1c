import assert from 'node:assert/strict';
import { failure, watch } from '../../scripts/node/child.ts';
import { start } from '../webhook/cli/executable.ts';
import type { TestCluster } from './cluster.ts';

export interface Replica {
  /** Of its server, on loopback. */
  address: string;
  /** What it has logged so far. */
  lines: readonly string[];
}

/** Starts a replica of the webhook on this machine, until the tests have ended; resolves when it is ready. */
export async function startReplica(
  { defer }: Pick<TestCluster, 'defer'>,
  files: { config: string; kubeconfig: string },
): Promise<Replica> {
  const lines: string[] = [];
  const ready = Promise.withResolvers<string>();
  const options = Object.entries({ host: '127.0.0.1', port: '0', ...files });
  const argv = options.flatMap(([name, value]) => [`--${name}`, value]);
  const child = watch(start(['webhook', ...argv]), (line) => {
    lines.push(line);
    const { msg, address } = JSON.parse(line);
    if (msg === 'ready') ready.resolve(address);
  });
  defer(() => child.terminate(5));
  const ended = child.ended.then(() => assert.fail(failure('the webhook', child)));
  return { address: await Promise.race([ready.promise, ended]), lines };
}
