import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { V1Container } from '@kubernetes/client-node';
import {
  type Capability,
  capabilityNumbers,
  neededCapabilities,
} from '../../sidecar/contract/capabilities.ts';
import { builtinProbes } from '../../sidecar/contract/probes.ts';
import { eventually } from '../support/eventually.ts';
import { request } from '../support/http.ts';
import { entrypoint, type ObservedPod, output, podFor } from '../support/pod.ts';
import { writing } from '../support/work.ts';

const mask = (names: readonly Capability[]) =>
  names.reduce((bits, name) => bits | (1n << BigInt(capabilityNumbers[name])), 0n);

/** What /proc says of the sidecar's process. */
function statusOf(pod: ObservedPod): (field: string) => string {
  const pid = readFileSync(join(pod.sidecar.cgroup, 'cgroup.procs'), 'utf8').trim();
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return (field) => new RegExp(`^${field}:\\t(.*)$`, 'm').exec(status)?.[1] ?? 'none';
}

/** What every thread of the sidecar may ever have. */
function permittedOf(pod: ObservedPod): bigint {
  const status = statusOf(pod);
  assert.equal(status('CapBnd'), status('CapPrm'));
  return BigInt(`0x${status('CapPrm')}`);
}

const effectiveOf = (pod: ObservedPod) => BigInt(`0x${statusOf(pod)('CapEff')}`);

async function assertCounts(pod: ObservedPod): Promise<void> {
  const web = pod.addContainer(`web-${Math.random()}`);
  await output(web, ...writing(100));
  assert.equal(
    (await pod.scrape()).value('bpf_syscalls_total', { container: web.name, syscall: 'write' }),
    100,
  );
}

test('a privileged sidecar keeps only what its probes may need, and only BPF in force', async (t) => {
  const pod = await podFor(t, { probes: 'syscalls' });
  // A machine may have taken some from us already.
  const ours = BigInt(`0x${/^CapBnd:\t(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]}`);
  assert.equal(permittedOf(pod), mask(['BPF', 'PERFMON', 'NET_ADMIN', 'SYS_RESOURCE']) & ours);
  assert.equal(effectiveOf(pod), mask(['BPF']));
  assert.equal(statusOf(pod)('CapInh'), '0000000000000000');
  assert.equal(statusOf(pod)('CapAmb'), '0000000000000000');
  assert.equal(statusOf(pod)('NoNewPrivs'), '1');
  await assertCounts(pod);

  // Attaching raises it for a moment, and afterwards it rests again.
  pod.running.updateAnnotations({ 'bpf.sh/inject': 'true', 'bpf.sh/probes': builtinProbes.join(',') });
  await eventually(async () => {
    const { text } = await request(pod.url('/'));
    for (const probe of builtinProbes) assert.match(text, new RegExp(`^${probe}: [1-9]\\d* program`, 'm'));
    assert.match(text, /^problems: 0$/m);
  });
  await eventually(() => assert.equal(effectiveOf(pod), mask(['BPF'])));
  await assertCounts(pod);
});

for (const probe of builtinProbes) {
  const needed = neededCapabilities([probe], [], 9387);
  test(`${probe} works with ${needed.join(', ')} alone`, async (t) => {
    const pod = await podFor(t, { probes: probe, privilege: 'capabilities' });
    assert.equal((await request(pod.url('/readyz'))).text, 'every probe is attached\n');
    assert.equal(permittedOf(pod), mask(needed));
    assert.equal(effectiveOf(pod), mask(['BPF']));
  });

  for (const missing of needed)
    test(`${probe} does not work without ${missing}, and says so`, async (t) => {
      const left = needed.filter((name) => name !== missing);
      const edit = (sidecar: V1Container) => {
        sidecar.command = [
          'setpriv',
          '--bounding-set',
          `-all${left.map((name) => `,+${name.toLowerCase()}`).join('')}`,
          ...entrypoint,
        ];
      };
      const pod = await podFor(t, { probes: probe, edit });
      const { status, text } = await request(pod.url('/readyz'));
      assert.equal(status, 503);
      assert.match(
        text,
        /EPERM \(not permitted: the container must be privileged, or have CAP_BPF, CAP_PERFMON/,
      );
    });
}

test('with the capabilities of its probes it counts, and shares dispatchers', async (t) => {
  const pods = [
    await podFor(t, { probes: 'network,syscalls,tcp', privilege: 'capabilities', cgroupNamespace: true }),
    await podFor(t, { probes: 'network,syscalls,tcp', privilege: 'capabilities' }),
  ];
  for (const pod of pods) {
    assert.equal((await request(pod.url('/readyz'))).text, 'every probe is attached\n');
    await assertCounts(pod);
  }
});
