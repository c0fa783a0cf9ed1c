import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import jsonPatch from 'fast-json-patch';
import { decide } from '../../webhook/admission/decide.ts';
import { patchOf } from '../../webhook/admission/patch.ts';
import { injectionConfig } from '../../webhook/config.ts';
import { testCluster } from '../support/cluster.ts';
import { podFor } from '../support/pod.ts';
import { run, start } from '../webhook/cli/executable.ts';
import { askingPod, podId, type Raw } from '../webhook/fixtures.ts';

const cluster = await testCluster();
const namespace = await cluster.createNamespace();
const path = `/api/v1/namespaces/${namespace}/pods`;
const noRoot = process.getuid?.() !== 0 && 'only root can run a sidecar on this machine';

const top = (...argv: string[]) => ['top', '--kubeconfig', cluster.kubeconfig, '-n', namespace, ...argv];

async function createPod(pod: Raw, podIP?: string): Promise<void> {
  const { status, body } = await cluster.call('POST', path, pod);
  assert.equal(status, 201, body.message);
  const own = `${path}/${pod.metadata.name}`;
  cluster.defer(() => cluster.call('DELETE', `${own}?gracePeriodSeconds=0`));
  if (podIP === undefined) return;
  // As the kubelet tells where a pod is.
  const answer = await cluster.call('PUT', `${own}/status`, {
    ...body,
    status: { phase: 'Running', podIP, podIPs: [{ ip: podIP }] },
  });
  assert.equal(answer.status, 200, answer.body.message);
}

function injected(name: string, probes: string): Raw {
  const pod = askingPod({ probes });
  pod.metadata.name = name;
  const config = injectionConfig('bpf-sidecar:test');
  return jsonPatch.applyPatch(pod, patchOf(decide(pod, config), config.version, podId)).newDocument;
}

test('top shows what a pod does, through the API server', {
  skip: cluster.cannotCallUs || noRoot,
}, async (t) => {
  const pod = await podFor(t, { namespace, pod: 'busy', probes: 'process,syscalls' });
  const web = pod.addContainer('web');
  await createPod(injected('busy', 'process,syscalls'), pod.sandbox.address);

  const child = start(top('busy', '--interval', '1s'));
  t.after(() => child.kill());
  const work = web.spawn(['sh', '-c', 'while :; do /bin/true; done'], { stdio: 'ignore' });
  t.after(() => work.kill());
  const seen: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    seen.push(line);
    const [, syscalls, forks] = /^\d\d:\d\d:\d\d {2}web: (\S+) syscalls\/s; (\S+) forks\/s$/.exec(line) ?? [];
    // The first interval may have begun before the work.
    if (Number(forks?.replace(',', '')) > 0 && syscalls !== '0') break;
    assert.ok(seen.length < 30, seen.join('\n'));
  }
  child.kill('SIGINT');
  assert.deepEqual(await new Promise((resolve) => child.once('exit', (code) => resolve(code))), 0);

  const once = await run(top('busy', '--once', '--interval', '1s'));
  assert.equal(once.code, 0, once.stderr);
  assert.match(once.stdout, /^\d\d:\d\d:\d\d {2}web: \S+ syscalls\/s; \S+ forks\/s\n$/);
});

test('top tells why there is nothing to show', { skip: cluster.cannotCallUs }, async () => {
  const plain = askingPod();
  plain.metadata.name = 'plain';
  await createPod(plain);
  await createPod(injected('away', 'tcp'));
  for (const [argv, code, problem] of [
    [['none'], 1, /^bpf-sidecar top: pod \S+\/none: pods "none" not found\n$/],
    [['plain'], 1, /^bpf-sidecar top: pod \S+\/plain has no sidecar; "bpf-sidecar check" tells why\n$/],
    [['away'], 1, /^bpf-sidecar top: the sidecar of pod \S+\/away does not answer: /],
    [[], 2, /give the name of one pod; see --help\n$/],
    [['a', 'b'], 2, /give the name of one pod; see --help\n$/],
    [['a', '--interval', '5'], 2, /--interval 5: must be a duration from 1s to 24h/],
    [['a', '--kubeconfig', '/nowhere'], 2, /^bpf-sidecar top: --kubeconfig \/nowhere: ENOENT/],
  ] as const) {
    const answer = await run(top(...argv));
    assert.match(answer.stderr, problem);
    assert.equal(answer.stdout, '');
    assert.equal(answer.code, code);
  }
});
