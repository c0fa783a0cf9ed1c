import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { type Container, createSandbox } from '../../../../scripts/node/sandbox.ts';
import { counting, eventsOf, startAuthored } from '../../../support/author.ts';
import { barePodsFor } from '../../../support/bare-pod.ts';
import { compileNative } from '../../../support/native.ts';
import { output, podFor } from '../../../support/pod.ts';
import '../../../support/older-kernel.ts';

const support = join(import.meta.dirname, '../../../support');

test('a tracepoint without a link counts the pod exactly, and nothing once it is detached', async (t) => {
  const { pod, web, sidecar, outsider } = await barePodsFor(t);
  const calls = ['python3', '-c', 'import os\nfor _ in range(23): os.getpriority(0, 0)'];
  const start = () =>
    startAuthored(
      counting('SEC("tp/syscalls/sys_enter_getpriority") int calls(void *ctx) { increment(); return 0; }'),
      pod,
    );
  for (let round = 0; round < 2; round++) {
    const probe = await start();
    assert.equal(probe.programs[0]!.problem, undefined);
    await output(sidecar, ...calls);
    await output(outsider, ...calls);
    assert.equal(eventsOf(probe), 0);
    await output(web, ...calls);
    assert.equal(eventsOf(probe), 23);
    probe.close();
  }
});

test('a uprobe without a link counts each call of the function', async (t) => {
  const { pod, web, outsider } = await barePodsFor(t);
  const path = compileNative(t, 'calls.c');
  const order = async (container: Container) => {
    const child = container.spawn([path], { stdio: ['pipe', 'pipe', 'inherit'] });
    t.after(() => child.kill());
    return async () => {
      child.stdin!.write('\n');
      await once(child.stdout!, 'data');
    };
  };
  const [orderInPod, orderOutside] = [await order(web), await order(outsider)];
  await orderInPod();
  const probe = await startAuthored(
    counting(`SEC("uprobe/${path}:place_order") int f(void *ctx) { increment(); return 0; }`),
    pod,
  );
  t.after(() => probe.close());
  assert.equal(probe.programs[0]!.problem, undefined);
  await orderInPod();
  await orderOutside();
  assert.equal(eventsOf(probe), 37);
});

test('a perf event without a link counts each page fault of the pod', async (t) => {
  const { pod, web, outsider } = await barePodsFor(t);
  const faulting = (pages: number) => [
    'python3',
    '-c',
    `
import mmap
memory = mmap.mmap(-1, ${pages} * 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
memory.madvise(mmap.MADV_NOHUGEPAGE)
for page in range(${pages}): memory[page * 4096] = 1
`,
  ];
  // PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS
  const probe = await startAuthored(
    counting('SEC("perf_event/type=1,config=2,period=1") int sample(void *ctx) { increment(); return 0; }'),
    pod,
  );
  t.after(() => probe.close());
  await output(outsider, ...faulting(100));
  assert.equal(eventsOf(probe), 0);
  await output(web, ...faulting(1));
  const few = eventsOf(probe)!;
  await output(web, ...faulting(2001));
  const many = eventsOf(probe)! - few;
  // What the interpreter itself needs varies by a few.
  assert.ok(many - few > 1900 && many - few < 2100, `${few} and then ${many}`);
});

/** Counts UDP packets to port 9 (0x0900 as it is read), wherever the packet data are. */
const packets = (section: string, name: string, answer: number) => `
SEC("${section}") int ${name}(struct __sk_buff *ctx) {
    __u8 *data = (void *)(long)ctx->data;
    if ((void *)(data + 38) <= (void *)(long)ctx->data_end && data[23] == 17 && data[37] == 9)
        increment();
    return ${answer};
}`;

const datagrams = `
import socket, sys
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[2])):
    sender.sendto(b'x', (sys.argv[1], 9))
`;

/** Asked in the network namespace of the pod. */
const filtersOf = async (web: Container) => {
  const [ingress, egress, qdisc] = [
    await output(web, 'tc', 'filter', 'show', 'dev', 'eth0', 'ingress'),
    await output(web, 'tc', 'filter', 'show', 'dev', 'eth0', 'egress'),
    await output(web, 'tc', 'qdisc', 'show', 'dev', 'eth0'),
  ];
  return { filters: (ingress + egress).match(/handle/g)?.length ?? 0, prepared: qdisc.includes('clsact') };
};

const argvOf = (code: string, cgroup: string) => [
  ...[process.execPath, '--import', join(support, 'older-kernel.ts'), join(support, 'probe-process.ts')],
  ...[counting(code), cgroup],
];

async function attachIn(container: Container, cgroup: string, code: string) {
  const child: ChildProcess = container.spawn(argvOf(code, cgroup), { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout! });
  const [attached] = await once(lines, 'line');
  return {
    child,
    attached,
    async count() {
      child.stdin!.write('\n');
      return Number((await once(lines, 'line'))[0]);
    },
    async end() {
      child.stdin!.end();
      assert.deepEqual(await once(child, 'exit'), [0, null]);
    },
  };
}

const TC_ACT_UNSPEC = -1;
const TC_ACT_OK = 0;

for (const [section, expected] of [
  ['tcx/egress', 37],
  ['tcx/ingress', 21],
  ['tc', 58],
] as const) {
  test(`${section} without tcx: a filter counts every packet of the pod, and is gone at the end`, async (t) => {
    const [pod, other] = [await createSandbox({ network: true }), await createSandbox({ network: true })];
    t.after(async () => {
      await pod.destroy();
      await other.destroy();
    });
    const web = pod.addContainer('web');
    const code = packets(section, 'count', TC_ACT_OK);
    const probe = await attachIn(pod.addContainer('bpf-sidecar'), pod.cgroup, code);
    assert.equal(probe.attached, "it sees the sidecar's own packets too, those of scrapes");
    await send(web, 37);
    await send(other.addContainer('web'), 11);
    execFileSync('python3', ['-c', datagrams, pod.address!, '21']);
    assert.equal(await probe.count(), expected);
    await probe.end();
    assert.deepEqual(await filtersOf(web), { filters: 0, prepared: false });
  });
}

test('filters run in the order in which they came: what the first decides the second does not see', async (t) => {
  const pod = await createSandbox({ network: true });
  t.after(() => pod.destroy());
  const web = pod.addContainer('web');
  for (const [answer, expected] of [
    [TC_ACT_UNSPEC, 20],
    [TC_ACT_OK, 10],
  ] as const) {
    const code = packets('tc/egress', 'first', answer) + packets('tc/egress', 'second', TC_ACT_OK);
    const probe = await attachIn(pod.addContainer('bpf-sidecar'), pod.cgroup, code);
    await send(web, 10);
    assert.equal(await probe.count(), expected);
    await probe.end();
  }
});

const two = packets('tc/egress', 'first', TC_ACT_UNSPEC) + packets('tc/egress', 'second', TC_ACT_OK);

test('filters of a killed process are replaced by those of the next one', async (t) => {
  const pod = await createSandbox({ network: true });
  t.after(() => pod.destroy());
  const web = pod.addContainer('web');
  for (let round = 0; round < 2; round++) {
    const probe = await attachIn(pod.addContainer('bpf-sidecar'), pod.cgroup, two);
    await send(web, 5);
    assert.equal(await probe.count(), 10);
    probe.child.kill('SIGKILL');
    await once(probe.child, 'exit');
    assert.deepEqual(await filtersOf(web), { filters: 2, prepared: true });
  }
});

test('a sidecar that starts removes the filters that a killed one has left', async (t) => {
  const dieAttached = `
tail -f /dev/null | "$@" > /tmp/attached &
until test -s /tmp/attached; do sleep 0.02; done
kill -9 $!
test "$(tc filter show dev eth0 egress | grep -c handle)" = 2`;
  const pod = await podFor(t, {
    probes: 'network',
    edit({ image }, { spec }) {
      const command = ['sh', '-c', dieAttached, 'sh', ...argvOf(two, '/')];
      spec!.initContainers!.unshift({ name: 'killed', image: image!, command });
    },
  });
  assert.deepEqual(await filtersOf(pod.addContainer('web')), { filters: 0, prepared: true });
});

async function send(container: Container, times: number): Promise<void> {
  const gateway = await output(container, 'sh', '-c', "ip route | awk '/default/ {printf $3}'");
  await output(container, 'python3', '-c', datagrams, gateway, String(times));
}
