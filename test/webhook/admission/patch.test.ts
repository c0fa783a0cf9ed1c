import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import jsonpatch from 'fast-json-patch';
import { parse, stringify } from 'yaml';
import { decide } from '../../../webhook/admission/decide.ts';
import { buildPatch } from '../../../webhook/admission/patch.ts';
import { buildRemoval } from '../../../webhook/admission/removal.ts';
import type { InjectionConfig, Privilege } from '../../../webhook/config.ts';
import { askingPod, config, fixtures, podId, podNames, type Raw, readPod } from '../fixtures.ts';

/** UPDATE_GOLDEN=1 rewrites test/fixtures/webhook/injected/ with what the code does now. */
const evictionAnnotation = 'cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes';
const updateGolden = process.env.UPDATE_GOLDEN === '1';

/** Applies the patch with a library that checks every operation; a skipped pod stays as it is. */
function admitted(pod: Raw, changed: Partial<InjectionConfig> = {}): Raw {
  const decision = decide(pod, { ...config, ...changed });
  if (!decision.inject) return pod;
  const patch = buildPatch(decision.pod, decision.sidecar, config.version, podId);
  return jsonpatch.applyPatch(structuredClone(pod), structuredClone(patch), true).newDocument;
}

/** Takes away what the design says is ours, and a list or map that was only made for it. */
function withoutOurs(pod: Raw, original: Raw): Raw {
  const { metadata, spec } = structuredClone(pod);
  delete metadata.annotations?.['bpf.sh/status'];
  delete metadata.annotations?.[evictionAnnotation];
  delete metadata.labels?.['bpf.sh/injected'];
  delete metadata.labels?.['bpf.sh/id'];
  spec.initContainers = spec.initContainers?.filter(({ name }: Raw) => name !== 'bpf-sidecar');
  spec.volumes = spec.volumes?.filter(({ name }: Raw) => !name.startsWith('bpf-sidecar-'));
  if (!original.metadata.labels) delete metadata.labels;
  if (!original.spec.initContainers) delete spec.initContainers;
  if (!original.spec.volumes) delete spec.volumes;
  return { ...pod, metadata, spec };
}

test('fields that no API server of today has stay as they are, in their order', () => {
  const read = () => parse(readFileSync(new URL('tomorrow.yaml', fixtures), 'utf8'));
  const pod = admitted(read());
  assert.equal(pod.spec.initContainers[0].name, 'bpf-sidecar');
  assert.equal(JSON.stringify(withoutOurs(pod, read())), JSON.stringify(read()));
});

for (const name of podNames) {
  test(`pod ${name} is admitted as its golden file says`, () => {
    const golden = new URL(`injected/${name}.yaml`, fixtures);
    const pod = admitted(readPod(name));
    if (updateGolden) writeFileSync(golden, stringify(pod, { lineWidth: 0 }));
    assert.deepEqual(pod, parse(readFileSync(golden, 'utf8')));
  });

  test(`pod ${name} keeps every field that is not the sidecar's, in its order`, () => {
    const original = readPod(name);
    const rest = withoutOurs(admitted(original), original);
    assert.equal(JSON.stringify(rest), JSON.stringify(original));
  });

  test(`pod ${name} does not change when it is admitted twice`, () => {
    const once = admitted(readPod(name));
    assert.deepEqual(admitted(once), once);
  });
}

test('lists and maps that are null, as the API server may send them, are made', () => {
  const pod = askingPod({}, { initContainers: null, volumes: null });
  pod.metadata.labels = null;
  const { metadata, spec } = admitted(pod);
  assert.deepEqual(metadata.labels, { 'bpf.sh/injected': 'true', 'bpf.sh/id': podId });
  assert.deepEqual(
    spec.initContainers.map(({ name }: Raw) => name),
    ['bpf-sidecar'],
  );
  assert.equal(spec.volumes.length, 4);
});

test('the sidecar starts before the init containers of the pod', () => {
  const { initContainers } = admitted(readPod('init-containers')).spec;
  assert.deepEqual(
    initContainers.map(({ name }: Raw) => name),
    ['bpf-sidecar', 'proxy', 'migrate'],
  );
  assert.equal(initContainers[0].restartPolicy, 'Always');
});

test('no annotation decides what is run or with which privilege', () => {
  const [plain] = admitted(askingPod()).spec.initContainers;
  const [tuned] = admitted(readPod('all-settings')).spec.initContainers;
  const { env: _, ports: __, resources: ___, ...plainRest } = plain;
  const { env: ____, ports: _____, resources: ______, ...tunedRest } = tuned;
  assert.deepEqual(tunedRest, plainRest);
});

test('a pod of QoS class Guaranteed gets a sidecar whose requests equal its limits', () => {
  const [{ resources }] = admitted(readPod('guaranteed')).spec.initContainers;
  assert.deepEqual(resources, {
    requests: { cpu: '200m', memory: '96Mi' },
    limits: { cpu: '200m', memory: '96Mi' },
  });
});

test('the status annotation says what was injected', () => {
  const { metadata } = admitted(readPod('job'));
  assert.deepEqual(JSON.parse(metadata.annotations['bpf.sh/status']), {
    version: '0.0.0-test',
    container: 'bpf-sidecar',
    port: 9387,
    volumes: ['bpf-sidecar-podinfo', 'bpf-sidecar-cgroup', 'bpf-sidecar-containers', 'bpf-sidecar-bpffs'],
    probes: ['syscalls'],
  });
});

test('the Cluster Autoscaler may evict the pod in spite of the paths of the node, and knows what the pod says itself', () => {
  const pod = askingPod();
  const ours = 'bpf-sidecar-cgroup,bpf-sidecar-containers,bpf-sidecar-bpffs';
  assert.equal(admitted(pod).metadata.annotations[evictionAnnotation], ours);
  pod.metadata.annotations[evictionAnnotation] = 'cache';
  const injected = admitted(pod);
  assert.equal(injected.metadata.annotations[evictionAnnotation], `cache,${ours}`);
  const { annotations } = jsonpatch.applyPatch(injected, buildRemoval(injected), true).newDocument.metadata;
  assert.equal(annotations[evictionAnnotation], 'cache');
});

test('where Prometheus goes by annotations the pod gets them, unless it has some of its own', () => {
  const scraped = (annotations: Record<string, string>) => {
    const pod = askingPod({ 'metrics-port': '9400' });
    Object.assign(pod.metadata.annotations, annotations);
    const all = Object.entries(admitted(pod, { scrapeAnnotations: true }).metadata.annotations);
    return Object.fromEntries(all.filter(([name]) => name.startsWith('prometheus.io/')));
  };
  assert.deepEqual(scraped({}), {
    'prometheus.io/scrape': 'true',
    'prometheus.io/port': '9400',
    'prometheus.io/path': '/metrics',
  });
  assert.deepEqual(scraped({ 'prometheus.io/scrape': 'false' }), { 'prometheus.io/scrape': 'false' });
});

test('the annotations for Prometheus go with the sidecar, unless somebody has changed them', () => {
  const withoutSidecar = (pod: Raw) =>
    jsonpatch.applyPatch(pod, buildRemoval(pod), true, false).newDocument.metadata.annotations;
  const pod = admitted(askingPod(), { scrapeAnnotations: true });
  assert.deepEqual(withoutSidecar(pod), { 'bpf.sh/inject': 'true' });
  pod.metadata.annotations['prometheus.io/port'] = '8080';
  assert.deepEqual(withoutSidecar(pod), {
    'bpf.sh/inject': 'true',
    'prometheus.io/scrape': 'true',
    'prometheus.io/port': '8080',
    'prometheus.io/path': '/metrics',
  });
});

test('an identity that a manifest has kept from another pod is replaced', () => {
  const pod = askingPod();
  pod.metadata.labels = { app: 'web', 'bpf.sh/id': 'fedcba9876543210' };
  assert.deepEqual(admitted(pod).metadata.labels, {
    app: 'web',
    'bpf.sh/id': podId,
    'bpf.sh/injected': 'true',
  });
});

test('with the privilege "capabilities" the container has those of its probes and no others', () => {
  const securityContext = (annotations: Record<string, string>) => {
    const decision = decide(askingPod(annotations), { ...config, privilege: 'capabilities' });
    assert.ok(decision.inject);
    return decision.sidecar.container.securityContext!;
  };
  const { privileged, capabilities } = securityContext({ probes: 'syscalls' });
  assert.equal(privileged, false);
  assert.deepEqual(capabilities, { drop: ['ALL'], add: ['BPF', 'PERFMON', 'SETUID'] });
  assert.deepEqual(securityContext({}).capabilities!.add, ['BPF', 'PERFMON', 'SETUID', 'NET_ADMIN']);
  assert.deepEqual(securityContext({ probes: '', 'metrics-port': '80' }).capabilities!.add, [
    'BPF',
    'PERFMON',
    'SETUID',
    'NET_BIND_SERVICE',
  ]);
});

test('with the privilege "attach-only" it has the same and is told to give them up', () => {
  const container = (privilege: Privilege) => {
    const decision = decide(askingPod({}), { ...config, privilege });
    assert.ok(decision.inject);
    return decision.sidecar.container;
  };
  const [attachOnly, capabilities] = [container('attach-only'), container('capabilities')];
  assert.deepEqual(attachOnly.securityContext, capabilities.securityContext);
  assert.deepEqual(attachOnly.env, [...capabilities.env!, { name: 'ATTACH_ONLY', value: 'true' }]);
});
