import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkWorkload } from '../../../webhook/admission/check.ts';
import { askingPod, config, type Raw } from '../fixtures.ts';

const kinds: [group: string, kind: string, wrap: (template: Raw) => object, path: string][] = [
  ...['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet'].map((kind): (typeof kinds)[number] => [
    'apps',
    kind,
    (template) => ({ template }),
    'spec.template',
  ]),
  ['batch', 'Job', (template) => ({ template }), 'spec.template'],
  [
    'batch',
    'CronJob',
    (template) => ({ jobTemplate: { spec: { template } } }),
    'spec.jobTemplate.spec.template',
  ],
];

/** What the API server posts when a workload is applied. */
function reviewOf(group: string, kind: string, spec: object, annotations = {}): Raw {
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'u-1',
      kind: { group, version: 'v1', kind },
      namespace: 'shop',
      name: 'web',
      operation: 'UPDATE',
      object: { apiVersion: `${group}/v1`, kind, metadata: { name: 'web', annotations }, spec },
    },
  };
}

function check(review: Raw, labels = {}, invalidAnnotations: 'admit' | 'refuse' = 'admit') {
  const found = checkWorkload(review, { sidecar: config, invalidAnnotations }, () => labels);
  assert.ok('review' in found);
  assert.equal(found.review.response.allowed, true);
  assert.equal(found.review.response.patch, undefined);
  return { reason: found.reason, warnings: found.review.response.warnings ?? [] };
}

for (const [group, kind, wrap, path] of kinds) {
  const deployed = (template: Raw, annotations?: object) =>
    reviewOf(group, kind, wrap(template), annotations);

  test(`${kind}: a mistake in the annotations of the pod template is told, and the ${kind} allowed`, () => {
    assert.deepEqual(check(deployed(askingPod({ probes: 'netwrok' }))), {
      reason: 'invalid-annotation',
      warnings: [
        'pods will get no bpf-sidecar (invalid-annotation): annotation bpf.sh/probes="netwrok": unknown probe "netwrok"; allowed are cpu, disk, dns, files, http, memory, network, pressure, process, profile, security, syscalls, tcp',
      ],
    });
  });

  test(`${kind}: annotations on the ${kind} itself are told to be in the wrong place`, () => {
    const { metadata: _, ...plain } = askingPod();
    assert.deepEqual(check(deployed(plain, { 'bpf.sh/inject': 'true' })), {
      reason: 'misplaced-annotation',
      warnings: [
        `pods will get no bpf-sidecar (misplaced-annotation): annotation bpf.sh/inject has no effect on the workload itself; put it into ${path}.metadata.annotations`,
      ],
    });
    const both = deployed(askingPod(), { 'bpf.sh/inject': 'true' });
    assert.deepEqual(check(both), { reason: '', warnings: [] });
  });

  test(`${kind}: nothing is said of one without a mistake`, () => {
    const { metadata: _, ...plain } = askingPod();
    for (const template of [askingPod(), askingPod({ inject: 'false', probes: 'x' }), plain])
      assert.deepEqual(check(deployed(template)), { reason: '', warnings: [] });
  });
}

const deployment = (template: Raw) => reviewOf('apps', 'Deployment', { template });

test('what the namespace or the pod itself has against the sidecar is told too', () => {
  const enforced = { 'pod-security.kubernetes.io/enforce': 'baseline' };
  assert.equal(check(deployment(askingPod()), enforced).reason, 'pod-security');
  assert.equal(check(deployment(askingPod({}, { hostUsers: false }))).reason, 'user-namespace');
  assert.match(
    check(deployment(askingPod({}, { hostNetwork: true }))).warnings.join(),
    /^bpf-sidecar: the pod is on its node's network, where the sidecar takes port 9387,/,
  );
});

test('a namespace that is not known yet is no mistake of the workload', () => {
  const found = checkWorkload(
    deployment(askingPod()),
    { sidecar: config, invalidAnnotations: 'admit' },
    () => 'unknown',
  );
  assert.ok('review' in found);
  assert.equal(found.review.response.warnings, undefined);
});

test('where invalid annotations are refused, the warning says so of the pods', () => {
  const { warnings } = check(deployment(askingPod({ probes: 'x' })), {}, 'refuse');
  assert.match(warnings.join(), /^pods will be refused \(invalid-annotation\): /);
});

test('anything else is allowed without a word', () => {
  const nothing = { reason: '', warnings: [] };
  assert.deepEqual(check(reviewOf('apps', 'Scale', {})), nothing);
  assert.deepEqual(check(reviewOf('other.example', 'Deployment', { template: askingPod() })), nothing);
  assert.deepEqual(check(reviewOf('apps', 'Deployment', { template: 7 })), nothing);
  const removed = deployment(askingPod());
  removed.request.object = null;
  assert.deepEqual(check(removed), nothing);
});
