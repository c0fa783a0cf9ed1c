import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AdmissionConfig, admit } from '../../../webhook/admission/admit.ts';
import { checkWorkload } from '../../../webhook/admission/check.ts';
import type { SkipReason } from '../../../webhook/admission/reasons.ts';
import type { NamespacePrograms } from '../../../webhook/programs/resolve.ts';
import { askingPod, config, reviewOf } from '../fixtures.ts';
import { programs } from './resources.ts';

const admission: AdmissionConfig = { sidecar: config, invalidAnnotations: 'admit' };

const resources = (...names: string[]): NamespacePrograms => ({
  resources: new Map(
    names.map((name) => [name, { name, object: { kind: 'ConfigMap', name: 'objects', key: name } }]),
  ),
});

const skipped: [
  what: string,
  asked: string,
  known: NamespacePrograms,
  reason: SkipReason,
  message: RegExp,
][] = [
  [
    'a namespace that may have none',
    'mine',
    { off: 'not in namespace "shop"' },
    'programs-not-allowed',
    /^annotation bpf\.sh\/programs asks for a user's own programs: not in namespace "shop"$/,
  ],
  [
    'resources that nobody knows yet',
    'mine',
    { unknown: 'the API server is away' },
    'programs-unknown',
    /^annotation bpf\.sh\/programs: the API server is away$/,
  ],
  [
    'a namespace without resources',
    'mine',
    resources(),
    'program-missing',
    /names "mine": there is no BPF resource in its namespace$/,
  ],
  [
    'a mistyped name',
    'a,pakets',
    resources('packets', 'a'),
    'program-missing',
    /names "pakets": there is no such BPF resource in its namespace, which has a, packets$/,
  ],
  [
    'a name among many others',
    'x',
    resources(...Array.from({ length: 13 }, (_, index) => `p${index + 10}`)),
    'program-missing',
    /which has p10, .*, p19 and 3 more$/,
  ],
  [
    'an invalid resource',
    'broken',
    { resources: new Map([['broken', { invalid: 'spec.program: must be a mapping' }]]) },
    'program-invalid',
    /^the BPF resource "broken" is invalid: spec\.program: must be a mapping$/,
  ],
];

for (const [what, asked, known, reason, message] of skipped)
  test(`${what} is a reason to admit the pod without the sidecar`, () => {
    const answer = admit(reviewOf(askingPod({ programs: asked })), admission, undefined, (namespace) => {
      assert.equal(namespace, 'shop');
      return known;
    });
    assert.ok(!('problem' in answer));
    assert.equal(answer.reason, reason);
    assert.match(answer.messages[0]!, message);
    const { allowed, patch, warnings } = answer.review.response;
    assert.deepEqual({ allowed, patch }, { allowed: true, patch: undefined });
    assert.match(warnings![0]!, new RegExp(`\\(${reason}\\)`));
  });

test('a warning for each name that is missing, up to eight', () => {
  const asked = Array.from({ length: 20 }, (_, index) => `p${index}`).join();
  const answer = admit(reviewOf(askingPod({ programs: asked })), admission, undefined, () => programs);
  assert.ok(!('problem' in answer));
  assert.equal(answer.review.response.warnings!.length, 8);
});

test('a pod that names no programs gets the sidecar whatever is known of them', () => {
  for (const known of [{ off: '' }, { unknown: '' }, resources()]) {
    const answer = admit(reviewOf(askingPod()), admission, undefined, () => known);
    assert.equal('problem' in answer || answer.reason, '');
  }
});

test("a mistake is refused where the administrator wants that, and what is nobody's mistake is not", () => {
  const outcome = (asked: string, known: NamespacePrograms) => {
    const answer = admit(
      reviewOf(askingPod({ programs: asked })),
      { ...admission, invalidAnnotations: 'refuse' },
      undefined,
      () => known,
    );
    assert.ok(!('problem' in answer));
    return [answer.result, answer.reason];
  };
  assert.deepEqual(outcome('x', programs), ['refused', 'program-missing']);
  assert.deepEqual(outcome('x', { off: 'no' }), ['refused', 'programs-not-allowed']);
  assert.deepEqual(outcome('x', { resources: new Map([['x', { invalid: 'y' }]]) }), [
    'refused',
    'program-invalid',
  ]);
  assert.deepEqual(outcome('x', { unknown: 'z' }), ['skipped', 'programs-unknown']);
});

test('whoever applies a workload is told of a name that is missing, and not of what is not known yet', () => {
  const deployment = (known: NamespacePrograms) => {
    const { metadata, spec } = askingPod({ programs: 'x' });
    const review = reviewOf({ spec: { template: { metadata, spec } } });
    review.request.kind = { group: 'apps', version: 'v1', kind: 'Deployment' };
    const check = checkWorkload(review, admission, undefined, () => known);
    assert.ok(!('problem' in check));
    return check.review.response.warnings;
  };
  assert.match(
    deployment(resources('y'))![0]!,
    /^pods will get no bpf-sidecar \(program-missing\): .*which has y$/,
  );
  assert.equal(deployment({ unknown: 'the API server is away' }), undefined);
  assert.equal(deployment(resources('x')), undefined);
});
