import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import type { V1Container } from '@kubernetes/client-node';
import { compileProgram } from '../../scripts/bpf/compile-program.ts';
import { createSandbox } from '../../scripts/node/sandbox.ts';
import { mountPaths, programFiles } from '../../sidecar/contract/pod.ts';
import { counting, countingSpec } from '../support/author.ts';
import { request } from '../support/http.ts';
import { calls, onSysEnter } from '../support/members.ts';
import { output, podFor } from '../support/pod.ts';
import { start } from '../webhook/cli/executable.ts';
import { createClient, mutateCall } from '../webhook/client.ts';
import { askingPod, reviewOf } from '../webhook/fixtures.ts';

function directoryFor(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-test-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** The environment that a webhook of its own, started with these options, gives to a sidecar. */
async function environmentBy(t: TestContext, ...options: string[]): Promise<V1Container['env']> {
  const caFile = join(directoryFor(t), 'ca.pem');
  const webhook = start([
    ...['webhook', '--image', 'bpf-sidecar:test', '--host', '127.0.0.1', '--port', '0'],
    ...['--dns-name', '127.0.0.1', '--ca-out', caFile, ...options],
  ]);
  t.after(() => webhook.kill());
  const call = createClient(await addressOf(webhook), readFileSync(caFile, 'utf8'));
  const { body } = await call(mutateCall(reviewOf(askingPod({ probes: 'network' }))));
  const [operation] = JSON.parse(Buffer.from(JSON.parse(body).response.patch, 'base64').toString());
  return operation.value[0].env;
}

async function addressOf(webhook: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: webhook.stdout! })) {
    const { msg, address } = JSON.parse(line);
    if (msg === 'ready') return address;
  }
  throw new Error('the webhook ended before it was ready');
}

/** A pod whose sidecar has that environment, and a program whose spec asks for the whole node. */
async function podBy(t: TestContext, env: V1Container['env']) {
  const program = directoryFor(t);
  writeFileSync(join(program, programFiles.object), await compileProgram(counting(onSysEnter('everywhere'))));
  writeFileSync(
    join(program, programFiles.spec),
    `${countingSpec}\nprograms: [{ name: everywhere, subject: node }]`,
  );
  return podFor(t, {
    probes: 'network',
    edit(sidecar, manifest) {
      sidecar.env = env!;
      manifest.metadata!.annotations!['bpf.sh/programs'] = 'mine';
      manifest.spec!.volumes!.push({ name: 'mine', hostPath: { path: program } });
      sidecar.volumeMounts!.push({ name: 'mine', mountPath: join(mountPaths.programs, 'mine') });
    },
  });
}

test('where the webhook was started with --allow-node-wide, a program that asks for it counts the whole node', async (t) => {
  const pod = await podBy(t, await environmentBy(t, '--allow-node-wide'));
  assert.equal((await request(pod.url('/readyz'))).text, 'every probe is attached\n');
  const other = await createSandbox();
  t.after(() => other.destroy());
  await output(pod.addContainer('web'), ...calls(3));
  await output(other.addContainer('web'), ...calls(4));
  assert.equal((await pod.scrape()).value('bpf_events_total'), 7);
});

test('elsewhere the program is refused, and nothing is counted', async (t) => {
  const pod = await podBy(t, await environmentBy(t));
  const { status, text } = await request(pod.url('/readyz'));
  assert.equal(status, 503);
  assert.match(
    text,
    /^probe mine: program everywhere: its subject is node, and the administrator does not let/,
  );
  await output(pod.addContainer('web'), ...calls(3));
  assert.equal((await pod.scrape()).value('bpf_events_total'), 0);
});
