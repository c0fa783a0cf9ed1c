import assert from 'node:assert/strict';
import { test } from 'node:test';
import { validate } from '../../../webhook/programs/validate.ts';
import type { Raw } from '../fixtures.ts';

const sound = { program: { valueFrom: { configMapKeyRef: { name: 'packets', key: 'packets.bpf.o' } } } };
const wrong = {
  ...sound,
  metrics: { value: { metrics: { counters: [{ name: 'x_total', help: '', map: 'x', labls: [] }] } } },
};

function review(spec: unknown, more: object = {}): Raw {
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'u1',
      kind: { group: 'bpf.sh', version: 'v1alpha1', kind: 'BPF' },
      namespace: 'shop',
      name: 'test',
      operation: 'CREATE',
      object: { apiVersion: 'bpf.sh/v1alpha1', kind: 'BPF', metadata: { name: 'test' }, spec },
      oldObject: null,
      ...more,
    },
  };
}

function responseTo(body: unknown, allowed = ['shop']): Raw {
  const validation = validate(body, allowed);
  assert.ok('review' in validation);
  return validation.review.response;
}

test('a sound resource passes without a word', () => {
  assert.deepEqual(responseTo(review(sound)), { uid: 'u1', allowed: true });
});

test('a mistake in the metric spec is refused with the field, as the sidecar words it', () => {
  const { allowed, status } = responseTo(review(wrong));
  assert.equal(allowed, false);
  assert.match(
    status.message,
    /^spec\.metrics\.value: metrics\.counters\[0\]: unknown field "labls"; allowed are name, help, map/,
  );
});

test('a resource where programs are not allowed passes with a warning', () => {
  assert.deepEqual(responseTo(review(sound), ['team-a']), {
    uid: 'u1',
    allowed: true,
    warnings: [
      'no pod gets it: the administrator does not allow them in namespace "shop" (value programs.allowedNamespaces)',
    ],
  });
  assert.equal(responseTo(review(wrong), ['team-a']).allowed, true);
  assert.equal(responseTo(review(sound), ['*']).warnings, undefined);
});

test('what was wrong before can still be labelled and removed, and not be made another wrong', () => {
  const oldObject = { metadata: { name: 'test' }, spec: wrong };
  assert.equal(responseTo(review(wrong, { operation: 'UPDATE', oldObject })).allowed, true);
  const { program } = wrong;
  const change = review({ program, metrics: {} }, { operation: 'UPDATE', oldObject });
  assert.equal(responseTo(change).allowed, false);
  assert.equal(responseTo(review(null, { operation: 'DELETE', object: null, oldObject })).allowed, true);
});

test('what is no BPF resource passes with a warning for whoever registered the webhook', () => {
  const pods = review(sound, { kind: { group: '', version: 'v1', kind: 'Pod' } });
  assert.match(
    responseTo(pods).warnings[0],
    /\/programs must be registered for BPF of bpf\.sh\/v1alpha1 only/,
  );
});

test('what is no review is told', () => {
  assert.ok('problem' in validate({}, []));
});
