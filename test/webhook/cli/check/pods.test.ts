import assert from 'node:assert/strict';
import { test } from 'node:test';
import jsonPatch from 'fast-json-patch';
import { decide } from '../../../../webhook/admission/decide.ts';
import { patchOf } from '../../../../webhook/admission/patch.ts';
import { type Circumstances, judgePod } from '../../../../webhook/cli/check/judge-pod.ts';
import { createPodReport } from '../../../../webhook/cli/check/pod-report.ts';
import { askingPod, config, podId, type Raw } from '../../fixtures.ts';

const installed = new Date('2026-01-02T00:00:00Z');
const circumstances: Circumstances = {
  release: {
    installed,
    namespaceSelector: {
      matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['ops'] }],
    },
  },
  sidecar: config,
  labels: new Map<string, Record<string, string>>([
    ['shop', { 'kubernetes.io/metadata.name': 'shop' }],
    ['ops', { 'kubernetes.io/metadata.name': 'ops' }],
    ['strict', { 'pod-security.kubernetes.io/enforce': 'baseline' }],
  ]),
  programsOf: () => ({ resources: new Map() }),
};

const live = (pod: Raw, namespace = 'shop', creationTimestamp = '2026-02-01T00:00:00Z'): Raw => ({
  ...pod,
  metadata: { ...pod.metadata, namespace, creationTimestamp },
});
const injected = (pod: Raw): Raw =>
  jsonPatch.applyPatch(pod, patchOf(decide(pod, config), config.version, podId)).newDocument;
const causeOf = (pod: Raw) => {
  const judgement = judgePod(pod, circumstances);
  assert.equal(judgement?.state, 'without');
  return judgement.cause;
};

test('a pod with the sidecar is observed, whatever its annotations have become', () => {
  const pod = live(injected(askingPod()));
  pod.metadata.annotations['bpf.sh/probes'] = 'netwrok';
  assert.deepEqual(judgePod(pod, circumstances), {
    state: 'observed',
    image: 'example.com/bpf-sidecar:test',
  });
});

test('a container of the name alone is no sidecar', () =>
  assert.equal(
    causeOf(live(askingPod({}, { initContainers: [{ name: 'bpf-sidecar', image: 'mine' }] }))),
    'name-taken',
  ));

test('a pod that does not ask is nothing to tell of', () => {
  const { metadata, ...silent } = askingPod();
  assert.equal(judgePod(live({ ...silent, metadata: { name: metadata.name } }), circumstances), undefined);
  assert.equal(judgePod(live(askingPod({ inject: 'false' })), circumstances), undefined);
});

test('why a pod has no sidecar is what the webhook would say', () => {
  assert.equal(causeOf(live(askingPod({ probes: 'netwrok' }))), 'invalid-annotation');
  assert.equal(causeOf(live(askingPod({ injekt: 'true' }))), 'invalid-annotation');
  assert.equal(causeOf(live(askingPod({ programs: 'packets' }))), 'program-missing');
  assert.equal(causeOf(live(askingPod(), 'strict')), 'pod-security');
  assert.equal(causeOf(live(askingPod(), 'unheard-of')), 'namespace-unknown');
});

test('of a pod that would get one now it is told why it did not', () => {
  assert.equal(causeOf(live(askingPod(), 'ops')), 'namespace-not-served');
  assert.equal(causeOf(live(askingPod(), 'shop', '2026-01-01T00:00:00Z')), 'not-recreated');
  assert.equal(causeOf(live(askingPod())), 'not-asked');
});

test('of many pods the first are listed, and the others counted', () => {
  const report = createPodReport('new');
  for (let i = 0; i < 10_000; i++)
    report.add(`shop/w${i}`, {
      state: 'without',
      cause: i % 4 === 0 ? 'windows' : 'not-asked',
      message: 'it is so',
    });
  for (let i = 0; i < 500; i++) report.add(`shop/o${i}`, { state: 'observed', image: `old${i % 100}` });
  for (let i = 0; i < 7; i++) report.add(`shop/c${i}`, { state: 'observed', image: 'new' });
  const texts = report.findings().map(({ text }) => text);
  assert.equal(texts.length, 1 + 20 + 1 + 1 + 20 + 1);
  assert.equal(texts[0], 'pods with a sidecar of new: 7');
  assert.equal(texts[1], 'pod shop/w0 has no sidecar (windows): it is so');
  assert.equal(texts[21], '9980 more pods that ask for a sidecar have none: 2495 windows, 7485 not-asked');
  assert.equal(texts[22], 'pods with another sidecar than configured: 500; restart their workloads');
  assert.equal(
    [...texts[43]!.matchAll(/ (\d+) (?:old|others)/g)].reduce((sum, [, n]) => sum + Number(n), 0),
    480,
  );
});

test('where nobody knows the configured image, none is another', () => {
  const report = createPodReport(undefined);
  report.add('shop/a', { state: 'observed', image: 'x' });
  assert.deepEqual(report.findings(), [{ level: 'ok', text: 'pods with a sidecar: 1' }]);
});
