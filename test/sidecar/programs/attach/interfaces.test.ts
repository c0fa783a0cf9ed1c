import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { type Container, createSandbox } from '../../../../scripts/node/sandbox.ts';
import { counting, startAuthored } from '../../../support/author.ts';
import { output } from '../../../support/pod.ts';

const script = join(import.meta.dirname, '../../../support/probe-process.ts');

/** Counts UDP packets to port 9 (0x0900 as it is read), wherever the packet data are. */
const counted = (section: string, context: string, pass: number) =>
  counting(`
SEC("${section}") int packets(struct ${context} *ctx) {
    __u8 *data = (void *)(long)ctx->data;
    if ((void *)(data + 38) <= (void *)(long)ctx->data_end && data[23] == 17 && data[37] == 9)
        increment();
    return ${pass};
}`);

const datagrams = `
import socket, sys
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[2])):
    sender.sendto(b'x', (sys.argv[1], 9))
`;

const TC_ACT_OK = 0;
const TCX_NEXT = -1;
const XDP_PASS = 2;

const remark = "it sees the sidecar's own packets too, those of scrapes";

for (const [section, context, pass, expected] of [
  ['tcx/egress', '__sk_buff', TCX_NEXT, 37],
  ['tcx/ingress', '__sk_buff', TCX_NEXT, 21],
  ['tc/ingress', '__sk_buff', TC_ACT_OK, 21],
  ['tc', '__sk_buff', TC_ACT_OK, 58],
  ['xdp', 'xdp_md', XDP_PASS, 21],
] as const) {
  test(`${section}: sees the packets on the interfaces of the pod`, async (t) => {
    const [pod, other] = [await createSandbox({ network: true }), await createSandbox({ network: true })];
    t.after(async () => {
      await pod.destroy();
      await other.destroy();
    });
    const child = pod
      .addContainer('bpf-sidecar')
      .spawn([process.execPath, script, counted(section, context, pass), pod.cgroup], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
    const lines = createInterface({ input: child.stdout! });
    assert.deepEqual(await once(lines, 'line'), [remark]);
    const send = async (container: Container, times: number) => {
      const gateway = await output(container, 'sh', '-c', "ip route | awk '/default/ {printf $3}'");
      await output(container, 'python3', '-c', datagrams, gateway, String(times));
    };
    await send(pod.addContainer('web'), 37);
    await send(other.addContainer('web'), 11);
    execFileSync('python3', ['-c', datagrams, pod.address!, '21']);
    child.stdin!.write('\n');
    assert.deepEqual(await once(lines, 'line'), [String(expected)]);
    child.stdin!.end();
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  });
}

/** Starts a program in the network namespace of a pod; gives what it says, and a function that gives its count. */
async function startIn(t: TestContext, code: string) {
  const pod = await createSandbox({ network: true });
  t.after(() => pod.destroy());
  const child = pod
    .addContainer('bpf-sidecar')
    .spawn([process.execPath, script, code, pod.cgroup], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout! });
  const next = async () => String((await once(lines, 'line'))[0]);
  const said = await next();
  const count = async () => {
    child.stdin!.write('\n');
    return Number(await next());
  };
  return { pod, said, count };
}

test('xdp/lo: sees the packets on the loopback, and no others', async (t) => {
  const { pod, said, count } = await startIn(t, counted('xdp/lo', 'xdp_md', XDP_PASS));
  assert.equal(said, remark);
  const web = pod.addContainer('web');
  await output(web, 'python3', '-c', datagrams, '127.0.0.1', '37');
  execFileSync('python3', ['-c', datagrams, pod.address!, '21']);
  assert.equal(await count(), 37);
});

test('an interface that the pod does not have is told', async (t) => {
  const { said } = await startIn(t, counted('xdp/wlan7', 'xdp_md', XDP_PASS));
  assert.match(said, /^program packets: the pod has no network interface wlan7; it has lo, \w+$/);
});

test("on the node's network nothing is attached to its interfaces", async (t) => {
  const code = `
SEC("tc") int filter(void *ctx) { return 0; }
SEC("xdp") int early(void *ctx) { return 2; }
SEC("socket") int tap(void *ctx) { increment(); return 0; }`;
  const probe = await startAuthored(counting(code), {
    path: '/',
    level: 0,
    id: 0n,
    sidecar: 0n,
    onHostNetwork: true,
  });
  t.after(() => probe.close());
  for (const { problem } of probe.programs)
    assert.match(
      problem!,
      /the pod is on its node's network \(hostNetwork\), where SEC\("\w+"\) would see the packets of others; write SEC\("cgroup_skb\/ingress"\) or \/egress$/,
    );
  assert.equal(probe.programs.length, 3);
});
