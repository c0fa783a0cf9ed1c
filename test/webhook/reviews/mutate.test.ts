import assert from 'node:assert/strict';
import { test } from 'node:test';
import jsonpatch from 'fast-json-patch';
import type { ReportedEvent } from '../../../webhook/kubernetes/events.ts';
import { createMetrics } from '../../../webhook/metrics.ts';
import { createMutate } from '../../../webhook/reviews/mutate.ts';
import { askingPod, config, type Raw, readPod, reviewOf } from '../fixtures.ts';

function setUp(invalidAnnotations: 'admit' | 'refuse' = 'admit') {
  const events: ReportedEvent[] = [];
  const lines: Raw[] = [];
  const metrics = createMetrics();
  const mutate = createMutate({
    config: { sidecar: config, invalidAnnotations },
    labelsOf: (name) => (name === 'strict' ? { 'pod-security.kubernetes.io/enforce': 'restricted' } : {}),
    metrics,
    log: (level, msg, fields) => lines.push({ level, msg, ...fields }),
    report: (event) => events.push(event),
  });
  const post = (body: Raw): Raw => {
    const answer = mutate(body);
    assert.ok('review' in answer);
    return (answer.review as Raw).response;
  };
  const counts = async () =>
    (await metrics.admissions.get()).values
      .filter(({ value }) => value > 0)
      .map(({ labels, value }) => [labels.result, labels.reason, value]);
  return { post, events, lines, counts };
}

const mistaken = () => readPodWith({ 'bpf.sh/probes': 'netwrok' });
const sentence =
  'annotation bpf.sh/probes="netwrok": unknown probe "netwrok"; allowed are cpu, disk, dns, files, http, memory, network, pressure, process, profile, security, syscalls, tcp';

/** A pod of a Deployment. */
function readPodWith(annotations: object): Raw {
  const pod = readPod('deployment');
  Object.assign(pod.metadata.annotations, annotations);
  return pod;
}

test('a pod that gets no sidecar is an Event on the controller that creates it', () => {
  const { post, events } = setUp();
  assert.equal(post(reviewOf(mistaken())).allowed, true);
  const [{ name, uid }] = readPod('deployment').metadata.ownerReferences;
  assert.deepEqual(events, [
    {
      about: { apiVersion: 'apps/v1', kind: 'ReplicaSet', namespace: 'shop', name, uid },
      type: 'Warning',
      reason: 'SidecarNotInjected',
      message: `invalid-annotation: ${sentence}`,
    },
  ]);
});

test('without a controller the Event is on the pod by its name, and without a name there is none', () => {
  const { post, events } = setUp();
  post(reviewOf(askingPod({ probes: 'x' })));
  const nameless = askingPod({ probes: 'x' });
  nameless.metadata = { ...nameless.metadata, name: undefined, generateName: 'web-', ownerReferences: 'x' };
  post(reviewOf(nameless));
  assert.deepEqual(
    events.map(({ about }) => about),
    [{ apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'web' }],
  );
});

test('what nobody has to act on is no Event', () => {
  const { post, events } = setUp();
  for (const pod of ['deployment', 'no-annotations', 'inject-false']) post(reviewOf(readPod(pod)));
  assert.deepEqual(events, []);
});

test('a dry run is answered like any other request, and has no side effects', () => {
  const { post, events, lines } = setUp();
  const review = reviewOf(mistaken());
  const real = post(review);
  assert.equal(events.length, 1);
  review.request.dryRun = true;
  assert.deepEqual(post(review), real);
  assert.equal(events.length, 1);
  assert.equal(lines[1].dryRun, true);
});

test("the labels of the pod's own namespace count", async () => {
  const { post, counts } = setUp();
  const review = reviewOf(readPod('deployment'));
  review.request.namespace = 'strict';
  assert.match(post(review).warnings[0], /^bpf-sidecar not injected \(pod-security\): /);
  assert.deepEqual(await counts(), [['skipped', 'pod-security', 1]]);
});

test('an invalid annotation is refused where the administrator wants that, and nothing else is', async () => {
  const { post, events, counts } = setUp('refuse');
  const { uid, ...response } = post(reviewOf(mistaken()));
  assert.deepEqual(response, {
    allowed: false,
    status: { code: 400, reason: 'BadRequest', message: `bpf-sidecar (invalid-annotation): ${sentence}` },
    auditAnnotations: { result: 'refused', reason: 'invalid-annotation', version: '0.0.0-test' },
  });
  assert.deepEqual(
    events.map(({ reason }) => reason),
    ['PodRefused'],
  );
  assert.equal(post(reviewOf(askingPod({}, { hostUsers: false }))).allowed, true);
  assert.equal(post(reviewOf(askingPod())).allowed, true);
  assert.deepEqual(await counts(), [
    ['refused', 'invalid-annotation', 1],
    ['skipped', 'user-namespace', 1],
    ['injected', '', 1],
  ]);
});

test('the audit log is told what became of the pod and by which version', () => {
  const { post } = setUp();
  assert.deepEqual(post(reviewOf(readPod('deployment'))).auditAnnotations, {
    result: 'injected',
    version: '0.0.0-test',
  });
  assert.deepEqual(post(reviewOf(readPod('inject-false'))).auditAnnotations, {
    result: 'skipped',
    reason: 'disabled',
    version: '0.0.0-test',
  });
});

test('the second look that the API server asks for leaves no other trace in its audit log', () => {
  const { post } = setUp();
  const pod = readPod('deployment');
  const { patch } = post(reviewOf(pod));
  const injected = jsonpatch.applyPatch(pod, JSON.parse(Buffer.from(patch, 'base64').toString())).newDocument;
  assert.deepEqual(Object.keys(post(reviewOf(injected))), ['uid', 'allowed']);
});

test('a remark on an injected pod is a warning, and in the log', () => {
  const { post, lines, events } = setUp();
  const { warnings, patch } = post(reviewOf(askingPod({}, { hostNetwork: true })));
  assert.ok(patch);
  assert.match(warnings[0], /^bpf-sidecar: the pod is on its node's network, .* port 9387/);
  assert.equal(lines[0].result, 'injected');
  assert.match(lines[0].messages[0], /^the pod is on its node's network/);
  assert.deepEqual(events, []);
  const chosen = askingPod({ 'metrics-port': '9387' }, { hostNetwork: true });
  assert.equal(post(reviewOf(chosen)).warnings, undefined);
});
