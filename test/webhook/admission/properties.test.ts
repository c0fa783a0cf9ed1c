import assert from 'node:assert/strict';
import { test } from 'node:test';
import jsonpatch from 'fast-json-patch';
import { mutateValue } from '../../../scripts/fuzz/mutate-value.ts';
import { createRandom, type Random } from '../../../scripts/fuzz/random.ts';
import { containerName } from '../../../sidecar/contract/pod.ts';
import { admit } from '../../../webhook/admission/admit.ts';
import { decide } from '../../../webhook/admission/decide.ts';
import { buildPatch, patchOf } from '../../../webhook/admission/patch.ts';
import { quantityValue } from '../../../webhook/admission/quantity.ts';
import { buildRemoval } from '../../../webhook/admission/removal.ts';
import { privileges } from '../../../webhook/config.ts';
import { randomPod } from '../../support/random-pod.ts';
import { config, podId, type Raw, reviewOf, withoutEmpty } from '../fixtures.ts';

const rounds = 2000;
const evictionAnnotation = 'cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes';

/** Checks a property of many pods; a failure names the seed that makes the pod again. */
function forPods(property: (pod: Raw, random: Random) => void): void {
  for (let seed = 1; seed <= rounds; seed++) {
    const random = createRandom(seed);
    const pod = randomPod(random);
    try {
      property(pod, random);
    } catch (error) {
      throw new Error(`seed ${seed}: ${JSON.stringify(pod)}`, { cause: error });
    }
  }
}

function applied(pod: Raw, patch: readonly object[]): Raw {
  return jsonpatch.applyPatch(structuredClone(pod), structuredClone(patch) as never, true).newDocument;
}

/** The pod with the sidecar; every pod that is generated gets it. */
function injected(pod: Raw): Raw {
  const decision = decide(pod, config);
  assert.ok(decision.inject, 'messages' in decision ? decision.messages.join() : '');
  return applied(pod, buildPatch(decision.pod, decision.sidecar, config.version, podId));
}

/** The rules of API validation that an added container and added volumes could break. */
function assertValid({ spec, metadata }: Raw): void {
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
  assertDifferent(containers.map(({ name }) => name));
  assertDifferent((spec.volumes ?? []).map(({ name }: Raw) => name));
  assertDifferent(
    containers.flatMap(({ ports }) =>
      (ports ?? []).flatMap(({ hostPort, protocol = 'TCP' }: Raw) =>
        hostPort === undefined ? [] : [`${hostPort}/${protocol}`],
      ),
    ),
  );
  for (const { ports, volumeMounts, resources, livenessProbe, startupProbe } of containers) {
    for (const { containerPort, hostPort } of ports ?? [])
      if (spec.hostNetwork) assert.equal(hostPort, containerPort);
    for (const { name } of volumeMounts ?? [])
      assert.ok(
        spec.volumes.some((volume: Raw) => volume.name === name),
        name,
      );
    assertDifferent((volumeMounts ?? []).map(({ mountPath }: Raw) => mountPath));
    for (const [name, request] of Object.entries(resources?.requests ?? {}))
      assert.ok(!(quantityValue(request) > quantityValue(resources.limits?.[name])), `${name} ${request}`);
    for (const probe of [livenessProbe, startupProbe])
      if (probe) assert.ok(ports.some(({ name }: Raw) => name === probe.httpGet.port));
  }
  for (const value of Object.values(metadata.annotations)) assert.equal(typeof value, 'string');
}

function assertDifferent(values: string[]): void {
  assert.deepEqual(values, [...new Set(values)]);
}

/** As the kubelet tells it: see https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/ */
function qosClass({ spec }: Raw): string {
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
  const all = containers.map(({ resources }) => ({ requests: {}, limits: {}, ...resources }));
  if (all.every(({ requests, limits }) => Object.keys({ ...requests, ...limits }).length === 0))
    return 'BestEffort';
  const fixed = all.every(({ requests, limits }) =>
    ['cpu', 'memory'].every(
      (name) =>
        limits[name] !== undefined &&
        quantityValue(requests[name] ?? limits[name]) === quantityValue(limits[name]),
    ),
  );
  return fixed ? 'Guaranteed' : 'Burstable';
}

test('a valid pod with the sidecar is a valid pod', () => {
  forPods((pod) => {
    assertValid(pod);
    assertValid(injected(pod));
  });
});

test('the sidecar is first, and the rest of the pod is as it was, in its order', () => {
  forPods((pod) => {
    const after = injected(pod);
    assert.equal(after.spec.initContainers[0].name, containerName);
    const rest = structuredClone(after);
    rest.spec.initContainers.shift();
    rest.spec.volumes = rest.spec.volumes.filter(({ name }: Raw) => !name.startsWith('bpf-sidecar-'));
    delete rest.metadata.annotations['bpf.sh/status'];
    delete rest.metadata.labels['bpf.sh/injected'];
    delete rest.metadata.labels['bpf.sh/id'];
    // A list, to which the names of the sidecar's volumes are appended.
    const named = rest.metadata.annotations[evictionAnnotation].replace(/(^|,)bpf-sidecar-.*/, '');
    if (named) rest.metadata.annotations[evictionAnnotation] = named;
    else delete rest.metadata.annotations[evictionAnnotation];
    assert.deepEqual(withoutEmpty(rest), withoutEmpty(pod));
    // Key by key: fields that are unknown here, too, stay where they were.
    assert.equal(JSON.stringify(after.spec.containers), JSON.stringify(pod.spec.containers));
  });
});

test('the patch only adds', () => {
  forPods((pod) => {
    const decision = decide(pod, config);
    for (const { op, path } of patchOf(decision, config.version, podId)) {
      assert.equal(op, 'add');
      assert.match(
        path,
        /^\/(spec\/(initContainers(\/0)?|volumes(\/-)?)|metadata\/(annotations\/(bpf\.sh~1status|cluster-autoscaler\.kubernetes\.io~1safe-to-evict-local-volumes)|labels(\/bpf\.sh~1(injected|id))?))$/,
      );
    }
  });
});

test('admitted twice, a pod does not change, whatever the sidecar may do', () => {
  forPods((pod, { pick }) => {
    const chosen = { ...config, privilege: pick(privileges) };
    const first = decide(pod, chosen);
    assert.ok(first.inject);
    const once = applied(pod, patchOf(first, config.version, podId));
    const second = decide(once, chosen);
    assert.ok(!second.inject);
    assert.equal(second.reason, 'already-injected');
    assert.deepEqual(patchOf(second, config.version, podId), []);
  });
});

test('what was put in can be taken out again, with the annotations for Prometheus', () => {
  forPods((pod) => {
    const decision = decide(pod, { ...config, scrapeAnnotations: true });
    assert.ok(decision.inject);
    const after = applied(pod, patchOf(decision, config.version, podId));
    assert.equal(after.metadata.annotations['prometheus.io/scrape'], 'true');
    assert.deepEqual(withoutEmpty(applied(after, buildRemoval(after))), withoutEmpty(pod));
  });
});

test('the QoS class is kept, but for a pod without any requests', () => {
  const seen = new Set<string>();
  forPods((pod) => {
    const before = qosClass(pod);
    seen.add(before);
    assert.equal(qosClass(injected(pod)), before === 'BestEffort' ? 'Burstable' : before);
  });
  assert.deepEqual([...seen].sort(), ['BestEffort', 'Burstable', 'Guaranteed']);
});

test('where every container has a limit, so has the sidecar', () => {
  forPods((pod) => {
    const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
    const [{ resources }] = injected(pod).spec.initContainers;
    for (const name of ['cpu', 'memory'])
      if (containers.every((container) => container.resources?.limits?.[name] !== undefined))
        assert.notEqual(resources.limits[name], undefined);
  });
});

test('a pod that is broken at random is always answered, and what is patched stays applicable', () => {
  forPods((pod, random) => {
    const broken = mutateValue(random.below(2) === 0 ? pod : injected(pod), random);
    const admission = admit(reviewOf(broken), { sidecar: config, invalidAnnotations: 'refuse' });
    assert.ok('review' in admission);
    const { patch, allowed } = admission.review.response;
    assert.equal(allowed, admission.result !== 'refused');
    if (patch !== undefined) applied(broken, JSON.parse(Buffer.from(patch, 'base64').toString()));
  });
});
