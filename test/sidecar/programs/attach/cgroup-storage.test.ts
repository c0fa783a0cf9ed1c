import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container } from '../../../../scripts/node/sandbox.ts';
import type { ScalarFamily } from '../../../../sidecar/series/family.ts';
import { counting, startAuthored } from '../../../support/author.ts';
import { barePodsFor } from '../../../support/bare-pod.ts';
import { output } from '../../../support/pod.ts';

const datagrams = `
import socket, sys
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[2])):
    sender.sendto(b'x', (sys.argv[1], 9))
`;

const spec = `
metrics:
  counters:
    - name: packets_total
      labels:
        - { name: container, size: 8, decoders: [{ name: uint }, { name: cgroup }] }
        - { name: attach_type, size: 4, padding: 4, decoders: [{ name: uint }] }`;

for (const type of ['CGROUP_STORAGE', 'PERCPU_CGROUP_STORAGE'])
  test(`a program with a map of type ${type} is attached without a dispatcher, and said to be approximate`, async (t) => {
    const { pod, sidecar, web, outsider } = await barePodsFor(t, { network: true });
    const code = counting(`
struct {
    __uint(type, BPF_MAP_TYPE_${type});
    __type(key, struct bpf_cgroup_storage_key);
    __type(value, __u64);
} packets_total SEC(".maps");
SEC("cgroup_skb/egress") int packets(struct __sk_buff *skb) {
    __u64 *count = bpf_get_local_storage(&packets_total, 0);
    __sync_fetch_and_add(count, 1);
    increment();
    return 1;
}`);
    const probe = await startAuthored(code, pod, spec);
    t.after(() => probe.close());
    const [{ problem, remark } = {}] = probe.programs;
    assert.equal(problem, undefined);
    assert.match(
      remark!,
      /^it sees the sidecar's own events too, because the kernel lets no dispatcher call it/,
    );

    const send = async (container: Container, times: number) => {
      const gateway = await output(container, 'sh', '-c', "ip route | awk '/default/ {printf $3}'");
      await output(container, 'python3', '-c', datagrams, gateway, String(times));
    };
    await send(web, 37);
    await send(sidecar, 5);
    await send(outsider, 11);
    const [family] = probe.read();
    const counted = [...(family as ScalarFamily).series].reduce((sum, { value }) => sum + value, 0);
    assert.equal(counted, 42);
  });
