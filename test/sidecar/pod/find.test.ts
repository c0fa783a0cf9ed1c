import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { containerCgroupName, makePodCgroup, removePodCgroup } from '../../../scripts/node/cgroups.ts';
import type { Container } from '../../../scripts/node/sandbox.ts';
import { entrypoint, type ObservedPodOptions, output, startObservedPod } from '../../support/pod.ts';
import { writing } from '../../support/work.ts';

const writes = 321;
const work = writing(writes);

/** Runs a command in another cgroup. */
const inCgroup = (cgroup: string, ...argv: string[]) => [
  'sh',
  '-c',
  'echo 0 > "$0/cgroup.procs" && exec "$@"',
  cgroup,
  ...argv,
];

const namespaces = [
  ["the host's cgroup namespace", false],
  ['a cgroup namespace of its own', true],
] as const;

describe('the sidecar finds its pod and counts exactly', { concurrency: 4 }, () => {
  for (const style of ['systemd', 'cgroupfs'] as const)
    for (const qos of ['guaranteed', 'burstable', 'besteffort'] as const)
      for (const [where, cgroupNamespace] of namespaces)
        test(`${qos}, ${style} driver, in ${where}`, async () => {
          assert.equal(await countedWrites({ style, qos, cgroupNamespace }), writes);
        });
});

/** Starts a pod, has its container `web` work, and tells what the sidecar counted for that container. */
async function countedWrites(
  options: ObservedPodOptions,
  argv: (web: Container) => string[] = () => work,
): Promise<number> {
  const pod = await startObservedPod({ probes: 'syscalls', ...options });
  try {
    const web = pod.addContainer('web');
    await output(web, ...argv(web));
    return (await pod.scrape()).value('bpf_syscalls_total', { syscall: 'write', container: 'web' });
  } finally {
    await pod.stop();
  }
}

describe('the sidecar finds a pod of a node that is a container itself, as kind makes them', () => {
  for (const [where, cgroupNamespace] of namespaces)
    test(`in ${where}`, async () => {
      const uid = randomUUID();
      const node = `bpf-sidecar-test-${process.pid}.slice/docker-${'d'.repeat(64)}.scope`;
      const parents = 'kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice';
      const unit = `kubelet-kubepods-besteffort-pod${uid.replaceAll('-', '_')}.slice`;
      const state = mkdtempSync(join(tmpdir(), 'bpf-sidecar-test-'));
      const cgroup = makePodCgroup(join(node, parents, unit), state);
      const addCgroup = (id: string) => {
        const path = join(cgroup, containerCgroupName('systemd', id));
        mkdirSync(path);
        return path;
      };
      try {
        const sidecarCgroup = addCgroup('5'.repeat(64));
        const edit: ObservedPodOptions['edit'] = (sidecar) => {
          const namespace = cgroupNamespace ? ['unshare', '--cgroup'] : [];
          sidecar.command = inCgroup(sidecarCgroup, ...namespace, ...entrypoint);
          sidecar.env = [...sidecar.env!, { name: 'POD_UID', value: uid }];
        };
        const move = (web: Container) => inCgroup(addCgroup(web.id), ...work);
        assert.equal(await countedWrites({ edit }, move), writes);
      } finally {
        await removePodCgroup(cgroup, state);
        rmSync(state, { recursive: true });
      }
    });
});
