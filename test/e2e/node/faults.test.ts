import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { cgroupsOf } from '../../../scripts/cluster/node/enclosure.ts';
import { appImage, firstCalls } from '../../support/app.ts';
import {
  apply,
  createNamespace,
  get,
  install,
  inTime,
  kubectl,
  skipped,
  timesOf,
} from '../../support/node.ts';
import type { Raw } from '../../webhook/fixtures.ts';

const idOf = (pod: Raw): string => pod.status.initContainerStatuses[0].containerID;

/** Takes more memory than the limit of the cgroup leaves. What is in there already is killed first: kubelet says so. */
function hog(cgroups: readonly string[], mebibytes: number): ChildProcess {
  const child = spawn('sh', ['-c', `read line; exec head -c ${mebibytes}M /dev/zero | tail > /dev/null`], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  for (const cgroup of cgroups) writeFileSync(join(cgroup, 'cgroup.procs'), `${child.pid}`);
  child.stdin!.end('\n');
  return child;
}

describe('on a node', skipped, () => {
  let namespace: string;
  before(async () => {
    await install();
    namespace = await createNamespace();
  });

  const podOf = (name: string) => get(`/api/v1/namespaces/${namespace}/pods/${name}`);

  async function startPod(name: string): Promise<Raw> {
    await apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name,
        namespace,
        annotations: { 'bpf.sh/inject': 'true', 'bpf.sh/probes': 'syscalls' },
      },
      spec: {
        containers: [{ name: 'app', image: appImage, args: ['wait'] }],
        terminationGracePeriodSeconds: 5,
      },
    });
    await kubectl('wait', '--namespace', namespace, '--for=condition=Ready', '--timeout=120s', `pod/${name}`);
    assert.equal(await timesOf(namespace, name), firstCalls);
    return podOf(name);
  }

  /** Resolves when the sidecar has been started again, to how the one before has ended. */
  async function restarted(name: string): Promise<Raw> {
    const sidecar = await inTime(async () => {
      const [sidecar] = (await podOf(name)).status.initContainerStatuses;
      assert.deepEqual([sidecar.restartCount, sidecar.started], [1, true]);
      return sidecar;
    });
    return sidecar.lastState.terminated;
  }

  /** The application has not been restarted, and is counted from now on as before. */
  async function assertUnharmed(name: string, app: Raw): Promise<void> {
    const [now] = (await podOf(name)).status.containerStatuses;
    assert.deepEqual([now.restartCount, now.containerID, now.ready], [0, app.containerID, true]);
    assert.equal((await timesOf(namespace, name)) ?? 0, 0);
    await kubectl('exec', '--namespace', namespace, name, '-c', 'app', '--', '/program', 'done');
    await inTime(async () => assert.equal(await timesOf(namespace, name), firstCalls));
  }

  test('a sidecar that is killed comes back, and its application does not notice', async () => {
    const pod = await startPod('killed');
    const procs = readFileSync(join(cgroupsOf(idOf(pod))[0]!, 'cgroup.procs'), 'utf8');
    process.kill(Number(procs.trim()), 'SIGKILL');
    assert.equal((await restarted('killed')).exitCode, 128 + 9);
    await assertUnharmed('killed', pod.status.containerStatuses[0]);
  });

  test('a sidecar that has no memory left is killed alone, and comes back', async (t) => {
    const pod = await startPod('hungry');
    const child = hog(cgroupsOf(idOf(pod)), 256);
    t.after(() => child.kill('SIGKILL'));
    await once(child, 'exit');
    const { reason, exitCode } = await restarted('hungry');
    assert.deepEqual([reason, exitCode], ['OOMKilled', 128 + 9]);
    await assertUnharmed('hungry', pod.status.containerStatuses[0]);
  });
});
