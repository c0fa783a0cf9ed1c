import assert from 'node:assert/strict';
import { test } from 'node:test';
import jsonpatch from 'fast-json-patch';
import { decide } from '../../../webhook/admission/decide.ts';
import { patchOf } from '../../../webhook/admission/patch.ts';
import { askingPod, config, podId, podNames, type Raw, readPod, withoutEmpty } from '../fixtures.ts';

/** What the API server makes of the webhook's answer. */
function admitted(pod: Raw): { pod: Raw; reason: string } {
  const decision = decide(pod, config);
  const patch = structuredClone(patchOf(decision, config.version, podId));
  return {
    pod: jsonpatch.applyPatch(structuredClone(pod), patch, true).newDocument,
    reason: decision.inject ? '' : decision.reason,
  };
}

/** Another injector that wants to be first, always. */
function proxyFirst(pod: Raw): Raw {
  const others = pod.spec.initContainers.filter(({ name }: Raw) => name !== 'proxy');
  const proxy = { name: 'proxy', image: 'proxy:1', restartPolicy: 'Always' };
  return { ...pod, spec: { ...pod.spec, initContainers: [proxy, ...others] } };
}

test('an injector that puts its container before ours is let be: neither pushes the other down', () => {
  let { pod } = admitted(askingPod());
  for (let round = 0; round < 3; round++) {
    pod = proxyFirst(pod);
    const again = admitted(pod);
    assert.equal(again.reason, 'already-injected');
    assert.deepEqual(again.pod, pod);
  }
  assert.deepEqual(
    pod.spec.initContainers.map(({ name }: Raw) => name),
    ['proxy', 'bpf-sidecar'],
  );
});

/** A webhook whose client library is older than native sidecars. */
function withoutRestartPolicy(pod: Raw): Raw {
  const old = structuredClone(pod);
  for (const container of old.spec.initContainers ?? []) delete container.restartPolicy;
  return old;
}

const injected = podNames.filter((name) => decide(readPod(name), config).inject);

for (const name of injected) {
  test(`pod ${name} starts without the sidecar when another webhook takes its restartPolicy away`, () => {
    const original = readPod(name);
    const repaired = admitted(withoutRestartPolicy(admitted(original).pod));
    assert.equal(repaired.reason, 'restart-policy-removed');
    assert.deepEqual(repaired.pod, withoutEmpty(withoutRestartPolicy(original)));
  });
}

test('it is told who is to blame', () => {
  const decision = decide(withoutRestartPolicy(admitted(askingPod()).pod), config);
  assert.ok(!decision.inject);
  assert.match(
    decision.messages.join(),
    /container "bpf-sidecar" has lost its restartPolicy: Always, .* another webhook/,
  );
});

test("what a user wrote in the sidecar's name is not taken out", () => {
  const forged = askingPod({ status: '{}' }, { initContainers: [{ name: 'bpf-sidecar', image: 'evil' }] });
  const { pod, reason } = admitted(forged);
  assert.equal(reason, 'sidecar-changed');
  assert.deepEqual(pod, forged);
});
