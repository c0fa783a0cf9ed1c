import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { builtinProbes } from '../../sidecar/contract/probes.ts';
import { objectDirectory } from '../../sidecar/objects.ts';
import { eventually } from '../support/eventually.ts';
import { request } from '../support/http.ts';
import { heldBy, remaining } from '../support/kernel.ts';
import { entrypoint, type ObservedPod, output, startObservedPod } from '../support/pod.ts';

const allProbes = builtinProbes.join(',');

/** The process of the sidecar, the only one in its container. */
const pidOf = (pod: ObservedPod) => Number(readFileSync(join(pod.sidecar.cgroup, 'cgroup.procs'), 'utf8'));

describe('a sidecar at work', () => {
  let pod: ObservedPod;
  before(async () => {
    pod = await startObservedPod({ probes: allProbes });
  });
  after(() => pod.stop());

  test('is alive and ready', async () => {
    const health = await request(pod.url('/healthz'));
    assert.deepEqual([health.status, health.text], [200, 'ok\n']);
    const ready = await request(pod.url('/readyz'));
    assert.deepEqual([ready.status, ready.text], [200, 'every probe is attached\n']);
  });

  test('shows people who it is and each program that is attached', async () => {
    const { status, text } = await request(pod.url('/'));
    assert.equal(status, 200);
    assert.match(text, new RegExp(`^pod ${pod.sandbox.namespace}/${pod.sandbox.pod} on node sandbox$`, 'm'));
    for (const probe of builtinProbes)
      assert.match(text, new RegExp(`^${probe}: ([1-9]\\d* program|no program, it reads files)`, 'm'));
    for (const program of ['SEC("tp_btf/sys_enter") sys_enter', 'SEC("cgroup_skb/ingress") receive'])
      assert.ok(text.includes(`  ${program}: attached\n`), text);
    assert.match(text, /^problems: 0$/m);
  });

  test('refuses other paths and methods', async () => {
    assert.equal((await request(pod.url('/debug'))).status, 404);
    assert.equal((await request(pod.url('/metrics'), { method: 'POST' })).status, 405);
  });
});

test('while it attaches it is alive and not ready', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-test-'));
  t.after(() => rmSync(directory, { recursive: true }));
  // Its first object comes through a pipe, so it attaches until we have written that.
  const pipe = join(directory, 'object');
  spawnSync('mkfifo', [pipe]);
  const object = join(objectDirectory, 'syscalls.bpf.o');
  const pod = await startObservedPod({
    probes: 'syscalls,network,tcp',
    edit(sidecar, { spec }) {
      delete sidecar.startupProbe;
      sidecar.volumeMounts!.push({ name: 'object', mountPath: object });
      spec!.volumes!.push({ name: 'object', hostPath: { path: pipe } });
    },
  });
  t.after(() => pod.stop());
  // There is no writing end before there is a reader.
  const end = await eventually(() => openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK));
  // In one piece, so that all are answered in the same turn: after the first probe, before the last.
  const paths = ['/readyz', '/readyz?fail-open=true', '/healthz'];
  const requests = paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: sidecar\r\n`);
  const socket = connect(9387, pod.sandbox.address!);
  await new Promise((sent) => socket.write(`${requests.join('\r\n')}Connection: close\r\n\r\n`, sent));
  writeFileSync(end, readFileSync(object));
  closeSync(end);
  const answers = await readAll(socket);
  assert.deepEqual(answers.match(/(?<=^HTTP\/1.1 )\d+/gm), ['503', '503', '200']);
  assert.equal(answers.match(/^attaching$/gm)?.length, 2);
});

describe('when it ends', () => {
  test('on SIGTERM, with exit code 0 and clients still connected, nothing stays in the kernel', async (t) => {
    const pod = await startObservedPod({ probes: allProbes });
    t.after(() => pod.stop());
    const silent = connect(9387, pod.sandbox.address!).resume();
    await once(silent, 'connect');
    await pod.scrape();
    const held = heldBy(pidOf(pod));
    for (const kind of ['prog', 'map', 'link'])
      assert.ok(
        held.some((object) => object.startsWith(kind)),
        `${kind} in ${held}`,
      );
    assert.deepEqual(remaining(held), held);
    await pod.running.stop();
    assert.equal(pod.running.containers[0]!.outcome(), 'ended with exit code 0');
    await eventually(() => assert.deepEqual(remaining(held), []));
  });

  test('on SIGKILL nothing stays in the kernel', async (t) => {
    const pod = await startObservedPod({ probes: allProbes });
    t.after(() => pod.stop());
    const held = heldBy(pidOf(pod));
    assert.deepEqual(remaining(held), held);
    process.kill(pidOf(pod), 'SIGKILL');
    assert.equal(await pod.running.containers[0]!.ended, 'was ended by SIGKILL');
    await eventually(() => assert.deepEqual(remaining(held), []));
  });
});

describe('annotations', () => {
  let pod: ObservedPod;
  before(async () => {
    pod = await startObservedPod({
      probes: 'syscalls',
      annotations: {
        'bpf.sh/containers': 'web, worker',
        'bpf.sh/pod-labels': 'app.kubernetes.io/name,team,missing',
      },
      labels: { 'app.kubernetes.io/name': 'shop', team: 'a "b" \\ c', tier: 'front' },
    });
    for (const name of ['web', 'worker', 'proxy']) await output(pod.addContainer(name), 'true');
  });
  after(() => pod.stop());

  test('bpf.sh/containers keeps the series of the other containers out', async () => {
    const { all } = await pod.scrape();
    const containers = all
      .filter(({ name }) => name === 'bpf_syscalls_total')
      .map(({ labels }) => labels.container);
    assert.deepEqual([...new Set(containers)].sort(), ['web', 'worker']);
  });

  test('bpf.sh/pod-labels puts those labels of the pod, and no others, on every series', async () => {
    for (const { name, labels } of (await pod.scrape()).all) {
      const copied = Object.entries(labels).filter(([label]) => label.startsWith('pod_label_'));
      assert.deepEqual(
        Object.fromEntries(copied),
        { pod_label_app_kubernetes_io_name: 'shop', pod_label_team: 'a "b" \\ c' },
        name,
      );
    }
  });
});

describe('what it cannot start with is one sentence', () => {
  const identity = { POD_NAMESPACE: 'shop', POD_NAME: 'cart', POD_UID: 'none', NODE_NAME: 'node-1' };
  const run = (env: Record<string, string>, ...args: string[]) => {
    const { status, stderr } = spawnSync(entrypoint[0]!, [...entrypoint.slice(1), 'run', ...args], {
      env: { PATH: process.env.PATH, ...env },
      encoding: 'utf8',
      timeout: 60_000,
    });
    return [status, stderr];
  };

  for (const name of Object.keys(identity))
    test(`no ${name}: exit code 2`, () => {
      const reason = `environment variable ${name} is not set: the webhook sets it from the downward API`;
      assert.deepEqual(run({ ...identity, [name]: '' }), [2, `bpf-sidecar run: ${reason}\n`]);
    });

  test('a port that is none: exit code 2', () => {
    const reason = 'environment variable BPF_SIDECAR_PORT=http must be a port number from 0 to 65535';
    assert.deepEqual(run({ ...identity, BPF_SIDECAR_PORT: 'http' }), [2, `bpf-sidecar run: ${reason}\n`]);
  });

  test('an unknown flag or argument: exit code 2', () => {
    assert.deepEqual(run(identity, '--fast'), [2, "bpf-sidecar run: Unknown option '--fast'\n"]);
    const [status, stderr] = run(identity, 'fast');
    assert.equal(status, 2);
    assert.match(String(stderr), /^bpf-sidecar run: Unexpected argument 'fast'.*\n$/);
  });

  test('a port in use: exit code 1, and it does not claim to be at work', async (t) => {
    const holder = createServer().listen(0);
    await once(holder, 'listening');
    t.after(() => holder.close());
    const { port } = holder.address() as { port: number };
    const starting = startObservedPod({
      network: false,
      annotations: { 'bpf.sh/metrics-port': String(port) },
    });
    await assert.rejects(starting, ({ message }: Error) => {
      assert.match(message, /ended with exit code 1/);
      const reason = `cannot listen on port ${port}: it is in use; set bpf.sh/metrics-port to another`;
      assert.ok(message.includes(`bpf-sidecar run: ${reason}`), message);
      assert.doesNotMatch(message, /attached/);
      return true;
    });
  });
});
