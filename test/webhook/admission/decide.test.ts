import assert from 'node:assert/strict';
import { test } from 'node:test';
import jsonpatch from 'fast-json-patch';
import { decide } from '../../../webhook/admission/decide.ts';
import { buildPatch } from '../../../webhook/admission/patch.ts';
import type { SkipReason } from '../../../webhook/admission/reasons.ts';
import { askingPod, config, podId, type Raw, readPod } from '../fixtures.ts';

const port = (containerPort: number, more: object = {}) => ({
  name: 'rival',
  image: 'x',
  ports: [{ containerPort, ...more }],
});

function injected(pod: Raw): Raw {
  const decision = decide(pod, config);
  assert.ok(decision.inject);
  const patch = buildPatch(decision.pod, decision.sidecar, config.version, podId);
  return jsonpatch.applyPatch(pod, patch).newDocument;
}

/** The pod after injection, with its sidecar's container changed. */
function tampered(change: (container: Raw, pod: Raw) => void): Raw {
  const pod = injected(askingPod());
  change(pod.spec.initContainers[0], pod);
  return pod;
}

const skipped: [what: string, pod: unknown, reason: SkipReason, message: RegExp][] = [
  ['a pod without annotations', readPod('no-annotations'), 'not-requested', /no annotation bpf\.sh\/inject/],
  ['a pod that says no', readPod('inject-false'), 'disabled', /"false"/],
  [
    'a pod that says no and has nonsense beside it',
    askingPod({ inject: 'false', probes: 'x' }),
    'disabled',
    /"false"/,
  ],
  [
    'an unknown annotation',
    askingPod({ injectt: 'x' }),
    'invalid-annotation',
    /bpf\.sh\/injectt="x": unknown/,
  ],
  [
    'a mistyped annotation of a pod that asks for nothing else',
    { metadata: { annotations: { 'bpf.sh/injct': 'true' } } },
    'invalid-annotation',
    /bpf\.sh\/injct="true": unknown annotation/,
  ],
  [
    'a malformed port',
    askingPod({ 'metrics-port': '70000' }),
    'invalid-annotation',
    /bpf\.sh\/metrics-port="70000": .*1 to 65535/,
  ],
  [
    'an unknown probe',
    askingPod({ probes: 'tcp,nfs' }),
    'invalid-annotation',
    /"nfs"; allowed are .*network, .*tcp/,
  ],
  ['a bare true', askingPod({ inject: true }), 'invalid-annotation', /bpf\.sh\/inject="true": .* quotes/],
  [
    'a memory limit below the default request',
    askingPod({ 'memory-limit': '32Mi' }),
    'invalid-annotation',
    /bpf\.sh\/memory-limit="32Mi": the memory request \(64Mi\) is above the limit \(32Mi\)/,
  ],
  [
    'a CPU request above the limit, in other units',
    askingPod({ 'cpu-request': '1.5', 'cpu-limit': '1400m' }),
    'invalid-annotation',
    /bpf\.sh\/cpu-request="1\.5"/,
  ],
  [
    'a request unlike the limit in a Guaranteed pod',
    askingPod(
      { 'cpu-request': '50m', 'cpu-limit': '100m' },
      { containers: [{ name: 'web', resources: { limits: { cpu: 1, memory: '1Gi' } } }] },
    ),
    'invalid-annotation',
    /QoS class Guaranteed/,
  ],
  [
    "a user's own programs",
    askingPod({ programs: 'mine' }),
    'programs-not-allowed',
    /bpf\.sh\/programs asks for .*: they are off/,
  ],
  [
    'a container on our port',
    askingPod({}, { containers: [port(9387)] }),
    'port-conflict',
    /container "rival" declares port 9387\/TCP; .*bpf\.sh\/metrics-port/,
  ],
  [
    'an init container on the port of the annotation',
    askingPod({ 'metrics-port': '9500' }, { initContainers: [port(9500, { protocol: 'TCP' })] }),
    'port-conflict',
    /"rival" declares port 9500/,
  ],
  [
    'our port as a host port on the host network',
    askingPod({}, { hostNetwork: true, containers: [port(80, { hostPort: 9387 })] }),
    'port-conflict',
    /"rival"/,
  ],
  [
    'a container with our name',
    askingPod({}, { containers: [{ name: 'bpf-sidecar', image: 'x' }] }),
    'name-taken',
    /container name "bpf-sidecar"/,
  ],
  [
    'an init container with our name and no status',
    tampered((_, pod) => delete pod.metadata.annotations['bpf.sh/status']),
    'name-taken',
    /container name "bpf-sidecar"/,
  ],
  [
    'a volume with one of our names',
    askingPod({}, { volumes: [{ name: 'bpf-sidecar-cgroup', emptyDir: {} }] }),
    'name-taken',
    /volume name "bpf-sidecar-cgroup"/,
  ],
  [
    'a hand-written container with a forged status',
    askingPod(
      { status: '{"container":"bpf-sidecar"}' },
      {
        initContainers: [
          {
            name: 'bpf-sidecar',
            image: 'evil',
            restartPolicy: 'Always',
            securityContext: { privileged: true },
          },
        ],
      },
    ),
    'sidecar-changed',
    /differs .* in image/,
  ],
  [
    'our container with a command added',
    tampered((container) => {
      container.command = ['sh'];
    }),
    'sidecar-changed',
    /differs .* in command;/,
  ],
  [
    'our container with an environment variable added',
    tampered((container) => container.env.push({ name: 'NODE_OPTIONS', value: '--require=/x' })),
    'sidecar-changed',
    /differs .* in env;/,
  ],
  [
    'our container over another volume',
    tampered((_, pod) => {
      pod.spec.volumes[1].hostPath.path = '/';
    }),
    'sidecar-changed',
    /its volumes/,
  ],
  ['a Windows pod', askingPod({}, { os: { name: 'windows' } }), 'windows', /spec\.os\.name/],
  [
    'a pod in a gVisor sandbox',
    askingPod({}, { runtimeClassName: 'gvisor' }),
    'sandboxed-runtime',
    /runtimeClassName is gvisor;/,
  ],
  [
    'a pod in a Kata sandbox',
    askingPod({}, { runtimeClassName: 'kata-qemu' }),
    'sandboxed-runtime',
    /runtimeClassName is kata-qemu;/,
  ],
  ['a pod with a user namespace', askingPod({}, { hostUsers: false }), 'user-namespace', /spec\.hostUsers/],
  [
    'a mirror pod',
    (() => {
      const pod = askingPod();
      pod.metadata.annotations['kubernetes.io/config.mirror'] = '8f2e';
      return pod;
    })(),
    'mirror-pod',
    /bpf-sidecar inject/,
  ],
  ['a pod without a spec', { metadata: askingPod().metadata }, 'malformed-pod', /spec must be an object/],
  ['a pod without containers', askingPod({}, { containers: [] }), 'malformed-pod', /spec\.containers/],
  ['volumes that are no list', askingPod({}, { volumes: 'none' }), 'malformed-pod', /spec\.volumes/],
  [
    'ports that are no list',
    askingPod({}, { containers: [{ name: 'web', ports: 80 }] }),
    'malformed-pod',
    /"web"/,
  ],
];

for (const [what, pod, reason, message] of skipped) {
  test(`${what}: ${reason}`, () => {
    const decision = decide(pod, config);
    assert.ok(!decision.inject);
    assert.equal(decision.reason, reason);
    assert.match(decision.messages.join('; '), message);
  });
}

for (const nothing of [
  null,
  undefined,
  7,
  'pod',
  [],
  {},
  { metadata: null },
  { metadata: { annotations: [] } },
]) {
  test(`${JSON.stringify(nothing)} in the place of a pod asks for nothing`, () => {
    const decision = decide(nothing, config);
    assert.ok(!decision.inject);
    assert.equal(decision.reason, 'not-requested');
  });
}

test('a status left over without its container does not keep a pod from its sidecar', () => {
  assert.ok(decide(askingPod({ status: '{"container":"bpf-sidecar"}' }), config).inject);
});

test('any other runtime class is no obstacle', () => {
  for (const runtimeClassName of ['nvidia', 'crun', 'katana', null])
    assert.ok(decide(askingPod({}, { runtimeClassName }), config).inject, `${runtimeClassName}`);
});

test('an injected pod is recognised after a LimitRange and AlwaysPullImages changed it', () => {
  const pod = tampered((container) => {
    container.resources.limits.cpu = '1';
    container.imagePullPolicy = 'Always';
  });
  const decision = decide(pod, config);
  assert.ok(!decision.inject);
  assert.equal(decision.reason, 'already-injected');
});

test('another protocol on the same port is no conflict', () => {
  assert.ok(decide(askingPod({}, { containers: [port(9387, { protocol: 'UDP' })] }), config).inject);
});

test('every malformed annotation is named, within bounds', () => {
  const annotations = Object.fromEntries(
    Array.from({ length: 50 }, (_, n) => [`x${n}-${'y'.repeat(1000)}`, 'z']),
  );
  const decision = decide(askingPod(annotations), config);
  assert.ok(!decision.inject);
  assert.equal(decision.messages.length, 8);
  assert.ok(decision.messages.every((message) => message.length <= 400));
});
