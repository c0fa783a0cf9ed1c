import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide } from '../../../webhook/admission/decide.ts';
import { type NamespaceLabels, relevantLabels } from '../../../webhook/admission/namespace.ts';
import type { SkipReason } from '../../../webhook/admission/reasons.ts';
import { askingPod, config, readPod } from '../fixtures.ts';

const enforce = (level: string) => ({ 'pod-security.kubernetes.io/enforce': level });

const skipped: [labels: NamespaceLabels, reason: SkipReason, message: RegExp][] = [
  [enforce('baseline'), 'pod-security', /label pod-security\.kubernetes\.io\/enforce=baseline refuses/],
  [enforce('restricted'), 'pod-security', /enforce=restricted refuses/],
  // What the API server does not know it takes for restricted.
  [enforce('resticted'), 'pod-security', /enforce=resticted refuses/],
  [{ 'bpf.sh/injection': 'disabled' }, 'namespace-disabled', /label bpf\.sh\/injection=disabled/],
  ['unknown', 'namespace-unknown', /not known yet/],
];

for (const [labels, reason, message] of skipped) {
  test(`a pod in a namespace with the labels ${JSON.stringify(labels)}: ${reason}`, () => {
    for (const privilege of ['privileged', 'capabilities', 'attach-only'] as const) {
      const decision = decide(askingPod(), { ...config, privilege }, labels);
      assert.ok(!decision.inject);
      assert.equal(decision.reason, reason);
      assert.match(decision.messages.join(), message);
    }
  });

  test(`a pod that asks for nothing hears nothing of the labels ${JSON.stringify(labels)}`, () => {
    const decision = decide(readPod('no-annotations'), config, labels);
    assert.ok(!decision.inject);
    assert.equal(decision.reason, 'not-requested');
  });
}

test('in a namespace without injection not even the annotations are looked at', () => {
  const decision = decide(askingPod({ probes: 'x' }), config, { 'bpf.sh/injection': 'disabled' });
  assert.ok(!decision.inject);
  assert.equal(decision.reason, 'namespace-disabled');
});

for (const labels of [{}, enforce('privileged'), { 'bpf.sh/injection': 'enabled', team: 'shop' }]) {
  test(`the labels ${JSON.stringify(labels)} are no obstacle and no remark`, () => {
    const decision = decide(askingPod(), config, labels);
    assert.ok(decision.inject);
    assert.deepEqual(decision.notes, []);
  });
}

test('Pod Security levels that only warn or audit are a remark that names their labels', () => {
  const decision = decide(askingPod(), config, {
    ...enforce('privileged'),
    'pod-security.kubernetes.io/warn': 'baseline',
    'pod-security.kubernetes.io/audit': 'restricted',
  });
  assert.ok(decision.inject);
  assert.deepEqual(decision.notes, [
    "by the namespace's label pod-security.kubernetes.io/warn=baseline and pod-security.kubernetes.io/audit=restricted the sidecar violates Pod Security, as it mounts paths of the node; the pod is admitted all the same",
  ]);
});

test('only the labels that are read are kept of a namespace', () => {
  const ours = { 'bpf.sh/injection': 'enabled', ...enforce('baseline') };
  assert.deepEqual(relevantLabels({ 'kubernetes.io/metadata.name': 'shop', ...ours }), ours);
  assert.deepEqual(relevantLabels(undefined), {});
});
