import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { webhookCommand, webhookEnvironment } from '../image.ts';
import { failure, watch } from '../node/child.ts';

/** The webhook at work, without an API server of its own. */
export interface Webhook {
  /** Of its server, on loopback. */
  address: string;
  /** PEM. */
  ca: Buffer;
  /** Whether it has one CPU, which whoever asks it does not take. */
  pinned: boolean;
  /** MiB that are resident. */
  memory(): number;
  stop(): Promise<void>;
}

/** Starts the bundled webhook as its image does; on one core if it is that core's speed that is asked for. */
export async function startWebhook({ oneCore }: { oneCore: boolean }): Promise<Webhook> {
  const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-bench-'));
  const caFile = join(directory, 'ca.pem');
  const options = { image: 'bpf-sidecar:bench', host: '127.0.0.1', port: '0', 'dns-name': '127.0.0.1' };
  const pinned = oneCore && spawnSync('taskset', ['--version']).status === 0;
  const [program = '', ...argv] = [
    ...(pinned ? ['taskset', '--cpu-list', '0'] : []),
    ...webhookCommand,
    'webhook',
    ...Object.entries({ ...options, 'ca-out': caFile }).flatMap(([name, value]) => [`--${name}`, value]),
  ];
  const { resolve, promise } = Promise.withResolvers<string>();
  const process_ = spawn(program, argv, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...webhookEnvironment },
  });
  // Its log is read to the end, so that it never waits for its reader.
  const child = watch(process_, (line) => {
    if (line.includes('"msg":"ready"')) resolve(JSON.parse(line).address);
  });
  const stop = async () => {
    await child.terminate(5);
    rmSync(directory, { recursive: true });
  };
  const address = await Promise.race([promise, child.ended.then(() => undefined)]);
  if (address === undefined) {
    await stop();
    throw new Error(failure('the webhook', child));
  }
  return {
    address,
    ca: readFileSync(caFile),
    pinned,
    memory: () =>
      Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${process_.pid}/status`, 'utf8'))![1]) / 1024,
    stop,
  };
}

/** A pod as a Deployment makes it, which asks for the sidecar. */
export function askingPod() {
  const fixture = join(import.meta.dirname, '../../test/fixtures/webhook/pods/deployment.yaml');
  return parse(readFileSync(fixture, 'utf8'));
}
