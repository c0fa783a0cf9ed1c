import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { createSandbox } from '../../../../scripts/node/sandbox.ts';
import { counting, eventsOf, startAuthored } from '../../../support/author.ts';
import { barePodFor, barePodsFor } from '../../../support/bare-pod.ts';

const declarations = `
struct task_struct;
struct bpf_iter__task { void *meta; struct task_struct *task; } __attribute__((preserve_access_index));
struct bpf_iter__udp { void *meta; void *udp_sk; __u32 uid; } __attribute__((preserve_access_index));
`;

test('an iterator over tasks runs at each scrape, for those of the pod', async (t) => {
  const { pod, sidecar, web, outsider } = await barePodsFor(t);
  const probe = await startAuthored(
    counting(
      `${declarations}SEC("iter/task") int tasks(struct bpf_iter__task *ctx) { if (ctx->task) increment(); return 0; }`,
    ),
    pod,
  );
  t.after(() => probe.close());
  assert.deepEqual(
    probe.programs.map(({ problem }) => problem),
    [undefined],
  );
  assert.equal(eventsOf(probe), 0);
  const sleepers = [web, web, web, sidecar, outsider].map((container) =>
    container.spawn(['sh', '-c', 'echo ready && exec sleep 60'], { stdio: ['ignore', 'pipe', 'inherit'] }),
  );
  t.after(() => sleepers.forEach((child) => void child.kill()));
  await Promise.all(sleepers.map((child) => once(child.stdout!, 'data')));
  assert.equal(eventsOf(probe), 3);
  assert.equal(eventsOf(probe), 3, 'it begins at 0 each time');
});

test('an iterator over tasks is told when it is at the end', async (t) => {
  const { pod } = await barePodFor(t);
  for (const kind of ['task', 'task_file']) {
    const probe = await startAuthored(
      counting(
        `${declarations}SEC("iter/${kind}") int ends(struct bpf_iter__task *ctx) { if (!ctx->task) increment(); return 0; }`,
      ),
      pod,
    );
    t.after(() => probe.close());
    assert.equal(eventsOf(probe), 1);
    assert.equal(eventsOf(probe), 1);
  }
});

test('an iterator over tasks is approximate where the sidecar sees only its own processes', async (t) => {
  const sandbox = await createSandbox();
  t.after(() => sandbox.destroy());
  const sidecar = sandbox.addContainer('bpf-sidecar');
  const code = counting(`SEC("iter/task") int tasks(void *ctx) { increment(); return 0; }`);
  const script = join(import.meta.dirname, '../../../support/probe-process.ts');
  const alone = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'];
  for (const [argv, expected] of [
    [[], /^attached$/],
    [alone, /^it finds nothing, because the sidecar sees only its own processes; set shareProcessNamespace/],
  ] as const) {
    const child = sidecar.spawn([...argv, process.execPath, script, code, sandbox.cgroup, sidecar.cgroup], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const [line] = await once(createInterface({ input: child.stdout! }), 'line');
    assert.match(line, expected);
    child.stdin!.end();
    await once(child, 'exit');
  }
});

test('an iterator over sockets shows those of the pod', async (t) => {
  const sandbox = await createSandbox({ network: true });
  t.after(() => sandbox.destroy());
  const sockets = `
import socket, sys
kept = []
for _ in range(7):
    kept.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    kept[-1].bind(('127.0.0.1', 0))
print('bound', flush=True)
sys.stdin.read()`;
  const web = sandbox
    .addContainer('web')
    .spawn(['python3', '-c', sockets], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => web.kill());
  await once(web.stdout!, 'data');
  const code = counting(
    `${declarations}SEC("iter/udp") int sockets(struct bpf_iter__udp *ctx) { if (ctx->udp_sk) increment(); return 0; }`,
  );
  const script = join(import.meta.dirname, '../../../support/probe-process.ts');
  const child = sandbox
    .addContainer('bpf-sidecar')
    .spawn([process.execPath, script, code, sandbox.cgroup], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout! });
  assert.deepEqual(await once(lines, 'line'), ["it sees the sidecar's own sockets too"]);
  child.stdin!.write('\n');
  assert.deepEqual(await once(lines, 'line'), ['7']);
  child.stdin!.end();
  await once(child, 'exit');
});
