import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { cgroupRoot, makePodCgroup, removePodCgroup } from '../../scripts/node/cgroups.ts';
import { createSandbox, type Sandbox, type SandboxOptions, sweep } from '../../scripts/node/sandbox.ts';

async function sandbox(t: TestContext, options?: SandboxOptions): Promise<Sandbox> {
  const made = await createSandbox(options);
  t.after(() => made.destroy());
  return made;
}

/** What a process prints, which must end well. */
async function output(child: ChildProcess): Promise<string> {
  let text = '';
  let errors = '';
  child.stdout?.on('data', (chunk) => (text += chunk));
  child.stderr?.on('data', (chunk) => (errors += chunk));
  const [code] = await once(child, 'close');
  assert.equal(code, 0, errors);
  return text;
}

const ownCgroup = (text: string) => text.match(/^0::(.*)$/m)?.[1];
const below = (path: string) => path.slice(cgroupRoot().length);
const uid = '0a1b2c3d-0000-4000-8000-000000000001';

for (const [style, qos, expected] of [
  ['cgroupfs', 'burstable', `kubepods/burstable/pod${uid}/ID`],
  ['cgroupfs', 'guaranteed', `kubepods/pod${uid}/ID`],
  [
    'systemd',
    'besteffort',
    'kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod0a1b2c3d_0000_4000_8000_000000000001.slice/cri-containerd-ID.scope',
  ],
  [
    'systemd',
    'guaranteed',
    'kubepods.slice/kubepods-pod0a1b2c3d_0000_4000_8000_000000000001.slice/cri-containerd-ID.scope',
  ],
] as const)
  test(`a ${qos} pod has the cgroups that kubelet makes with the ${style} driver`, async (t) => {
    const made = await sandbox(t, { style, qos, uid });
    const container = made.addContainer('web');
    assert.match(container.id, /^[0-9a-f]{64}$/);
    assert.ok(container.cgroup.endsWith(`/${expected.replace('ID', container.id)}`), container.cgroup);
    const containers = readdirSync(made.cgroup, { withFileTypes: true }).filter((entry) =>
      entry.isDirectory(),
    );
    assert.equal(containers.length, 2, 'the container and the pause container');
  });

test('a process is in its container cgroup at its first instruction', async (t) => {
  const container = (await sandbox(t)).addContainer('web');
  const text = await output(container.spawn(['cat', '/proc/self/cgroup']));
  assert.equal(ownCgroup(text), below(container.cgroup));
});

test('a cgroup namespace is rooted at the container cgroup', async (t) => {
  const container = (await sandbox(t)).addContainer('web');
  const text = await output(container.spawn(['cat', '/proc/self/cgroup'], { cgroupNamespace: true }));
  assert.equal(ownCgroup(text), '/');
});

test('a pod answers at its address and reaches the host', async (t) => {
  const made = await sandbox(t, { network: true });
  const server = createServer((request, response) => response.end(request.socket.remoteAddress));
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const script = `
    const host = require('os').networkInterfaces().eth0[0].address.replace(/\\d+$/, (n) => n - 1);
    fetch('http://' + host + ':${port}').then((r) => r.text()).then((seen) =>
      require('http').createServer((_, r) => r.end(seen)).listen(8080, () => console.log('listening')));`;
  const pod = made.addContainer('web').spawn([process.execPath, '-e', script]);
  await once(pod.stdout!, 'data');
  const response = await fetch(`http://${made.address}:8080`);
  assert.equal(await response.text(), made.address, 'the address that the host saw');
});

test('mounts are where they were asked for, and the host gets nothing of them', async (t) => {
  const made = await sandbox(t);
  writeFileSync(join(made.volumes, 'file'), 'from the volume');
  const container = made.addContainer('web');
  const script = `
    cat /host/volume/file /sandbox-test/file
    ls /host/sys/fs/cgroup /sys/kernel/btf
    cat /proc/self/cgroup
    touch /host/volume/new 2>/dev/null && echo writable
    echo changed > /sandbox-test/file
    echo litter > /sandbox-test-litter`;
  const text = await output(
    container.spawn(['sh', '-c', script], {
      mounts: [
        { source: made.volumes, target: '/host/volume', readOnly: true },
        { source: made.volumes, target: '/sandbox-test' },
        { source: '/sys/fs/cgroup', target: '/host/sys/fs/cgroup', readOnly: true },
      ],
    }),
  );
  assert.match(text, /from the volumefrom the volume/);
  assert.match(text, /^vmlinux$/m);
  assert.equal(ownCgroup(text), below(container.cgroup));
  assert.doesNotMatch(text, /writable/);
  assert.deepEqual(
    ['/host', '/sandbox-test', '/sandbox-test-litter'].filter((path) => existsSync(path)),
    [],
  );
});

test('a privileged container sees the whole cgroup hierarchy, one with a namespace only its own', async (t) => {
  const container = (await sandbox(t)).addContainer('web');
  const list = ['ls', cgroupRoot()];
  const whole = await output(container.spawn(list, { mounts: [] }));
  const own = await output(container.spawn(list, { mounts: [], cgroupNamespace: true }));
  const top = below(container.cgroup).split('/')[1] ?? '';
  assert.match(whole, new RegExp(`^${top}$`, 'm'));
  assert.doesNotMatch(own, new RegExp(`^${top}$`, 'm'));
});

test('links name the containers as kubelet does', async (t) => {
  const made = await sandbox(t, { namespace: 'shop', pod: 'web-1' });
  const { id } = made.addContainer('server');
  assert.deepEqual(readdirSync(made.containerLogs), [`web-1_shop_server-${id}.log`]);
});

const traces = (made: Pick<Sandbox, 'cgroup' | 'containerLogs'>) => {
  const directory = dirname(dirname(made.containerLogs));
  const slot = basename(directory);
  return [made.cgroup, directory, `/run/netns/bpf-sidecar-${slot}`, `/sys/class/net/bpfsc-${slot}`];
};

test('destroying a pod ends its processes and leaves nothing', async () => {
  const made = await createSandbox({ network: true });
  const container = made.addContainer('web');
  const nested = join(container.cgroup, 'nested');
  mkdirSync(nested);
  const child = container.spawn(['sh', '-c', 'trap "" TERM; echo up; while :; do sleep 1000; done']);
  await once(child.stdout!, 'data');
  assert.deepEqual(traces(made).filter(existsSync), traces(made));
  const ended = once(child, 'exit');
  await made.destroy();
  await made.destroy();
  assert.deepEqual(await ended, [null, 'SIGKILL']);
  assert.deepEqual(traces(made).filter(existsSync), []);
});

test('what a killed owner left behind is swept away, what a living one has is kept', async (t) => {
  const living = await sandbox(t, { network: true });
  const module = join(import.meta.dirname, '../../scripts/node/sandbox.ts');
  const script = `
    import { createSandbox } from ${JSON.stringify(module)};
    const { cgroup, containerLogs, addContainer } = await createSandbox({ network: true });
    addContainer('web').spawn(['sh', '-c', 'trap "" TERM; while :; do sleep 1000; done']).on('spawn', () =>
      console.log(JSON.stringify({ cgroup, containerLogs })));
    setInterval(() => {}, 1000);`;
  const owner = spawn(process.execPath, ['--input-type=module', '-e', script]);
  const [line] = await once(owner.stdout, 'data');
  owner.kill('SIGKILL');
  await once(owner, 'exit');
  const left = traces(JSON.parse(String(line)));
  assert.deepEqual(left.filter(existsSync), left);
  await sweep();
  assert.deepEqual(left.filter(existsSync), []);
  assert.deepEqual(traces(living).filter(existsSync), traces(living));
});

test('a top cgroup that somebody else made, as kubelet makes kubepods, is neither used nor removed', async (t) => {
  const state = mkdtempSync(join(tmpdir(), 'bpf-sidecar-test-'));
  t.after(() => rmSync(state, { recursive: true }));
  const top = `bpf-sidecar-test-${process.pid}`;
  const foreign = join(cgroupRoot(), top);
  mkdirSync(foreign);
  t.after(() => rmdirSync(foreign));
  const cgroup = makePodCgroup(`${top}/pod1`, state);
  assert.ok(existsSync(cgroup));
  assert.ok(!cgroup.startsWith(foreign), cgroup);
  await removePodCgroup(cgroup, state);
  assert.ok(!existsSync(cgroup));
  assert.ok(existsSync(foreign));
});
