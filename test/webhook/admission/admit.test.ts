import assert from 'node:assert/strict';
import { test } from 'node:test';
import jsonpatch from 'fast-json-patch';
import { admit } from '../../../webhook/admission/admit.ts';
import { askingPod, config, type Raw, readPod, reviewOf } from '../fixtures.ts';

function answer(body: unknown) {
  const admission = admit(body, { sidecar: config, invalidAnnotations: 'admit' });
  assert.ok('review' in admission);
  assert.equal(admission.review.kind, 'AdmissionReview');
  assert.equal(admission.review.response.allowed, true);
  return admission;
}

test('a review is answered with its uid and a base64 JSON patch', () => {
  const pod = readPod('deployment');
  const { review, request, reason } = answer(reviewOf(pod, 'the-uid'));
  assert.equal(review.apiVersion, 'admission.k8s.io/v1');
  assert.equal(review.response.uid, 'the-uid');
  assert.equal(review.response.patchType, 'JSONPatch');
  assert.equal(review.response.warnings, undefined);
  assert.equal(reason, '');
  assert.deepEqual([request.namespace, request.name], ['shop', 'shop-web-5d8f6c7b9-']);
  const patch = JSON.parse(Buffer.from(review.response.patch!, 'base64').toString());
  const { spec } = jsonpatch.applyPatch(pod, patch, true).newDocument;
  assert.equal(spec.initContainers[0].name, 'bpf-sidecar');
});

test('each pod of a template has an identity of its own, which the request for it decides', () => {
  const identity = (uid: string) => {
    const pod = readPod('deployment');
    const { review } = answer(reviewOf(pod, uid));
    const patch = JSON.parse(Buffer.from(review.response.patch!, 'base64').toString());
    return jsonpatch.applyPatch(pod, patch, true).newDocument.metadata.labels['bpf.sh/id'];
  };
  assert.match(identity('first'), /^[0-9a-f]{16}$/);
  assert.equal(identity('first'), identity('first'));
  assert.notEqual(identity('first'), identity('second'));
});

test('a pod is injected with a warning when its own annotations keep Prometheus from the sidecar', () => {
  const pod = askingPod();
  pod.metadata.annotations['prometheus.io/port'] = '8080';
  const admission = admit(reviewOf(pod), {
    sidecar: { ...config, scrapeAnnotations: true },
    invalidAnnotations: 'admit',
  });
  assert.ok('review' in admission);
  assert.equal(admission.reason, '');
  assert.ok(admission.review.response.patch);
  assert.deepEqual(admission.review.response.warnings, [
    'bpf-sidecar: the pod has the annotation prometheus.io/port of its own, so that Prometheus is not told of its bpf-sidecar, port 9387',
  ]);
});

test('a pod that asks for nothing is admitted without patch and warning', () => {
  const { review } = answer(reviewOf(readPod('no-annotations')));
  assert.deepEqual(Object.keys(review.response), ['uid', 'allowed', 'auditAnnotations']);
});

test('a pod with a malformed annotation is admitted as it is, with a warning that says why', () => {
  const pod = readPod('deployment');
  pod.metadata.annotations['bpf.sh/metrics-port'] = 'http';
  const { review, reason } = answer(reviewOf(pod));
  assert.equal(reason, 'invalid-annotation');
  assert.equal(review.response.patch, undefined);
  assert.deepEqual(review.response.warnings, [
    'bpf-sidecar not injected (invalid-annotation): annotation bpf.sh/metrics-port="http": must be a port number from 1 to 65535',
  ]);
});

const misdirected: [what: string, change: (review: Raw) => void, reason: string][] = [
  [
    'another version',
    (review) => Object.assign(review, { apiVersion: 'admission.k8s.io/v1beta1' }),
    'unsupported-version',
  ],
  ['another kind', (review) => Object.assign(review.request.kind, { kind: 'Service' }), 'not-a-pod'],
  ['an update', (review) => Object.assign(review.request, { operation: 'UPDATE' }), 'unsupported-operation'],
  ['no pod', (review) => Object.assign(review.request, { object: null }), 'malformed-pod'],
];

for (const [what, change, reason] of misdirected) {
  test(`a review of ${what} is answered in its own version, with a warning`, () => {
    const body = reviewOf(readPod('deployment'));
    change(body);
    const { review, ...admission } = answer(body);
    assert.equal(admission.reason, reason);
    assert.equal(review.apiVersion, body.apiVersion);
    assert.equal(review.response.patch, undefined);
    assert.match(review.response.warnings![0]!, new RegExp(`^bpf-sidecar not injected \\(${reason}\\): `));
  });
}

const unanswerable: [what: string, body: unknown][] = [
  ['nothing', undefined],
  ['a list', []],
  ['a pod', readPod('deployment')],
  ['a review without a request', { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' }],
  ['a review without a uid', reviewOf(readPod('deployment'), '')],
];

for (const [what, body] of unanswerable) {
  test(`${what} gets one sentence instead of an answer`, () => {
    const admission = admit(body, { sidecar: config, invalidAnnotations: 'admit' });
    assert.ok('problem' in admission);
    assert.match(admission.problem, /AdmissionReview .* uid/);
  });
}
