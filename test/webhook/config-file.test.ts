import assert from 'node:assert/strict';
import test from 'node:test';
import { injectionConfig } from '../../webhook/config.ts';
import { parseConfig } from '../../webhook/config-file.ts';

const least = `
sidecar: { image: example.com/bpf-sidecar:1 }
certificate: { directory: /tls }
`;

test('what is left out has the defaults', () => {
  assert.deepEqual(parseConfig(least, 'config.yaml'), {
    sidecar: injectionConfig('example.com/bpf-sidecar:1'),
    invalidAnnotations: 'admit',
    programs: { allowedNamespaces: [] },
    monitors: {
      kind: 'ServiceMonitor',
      scope: 'pod',
      interval: '30s',
      timeout: '10s',
      labels: {},
      relabelings: [],
      metricRelabelings: [],
    },
    certificate: { directory: '/tls' },
  });
});

test('everything can be told', () => {
  const config = parseConfig(
    `
sidecar:
  image: example.com/bpf-sidecar@sha256:${'0'.repeat(64)}
  imagePullPolicy: Always
  privilege: capabilities
  allowNodeWide: true
  resources: { requests: { cpu: 10m, memory: 48Mi }, limits: {}, guaranteed: { cpu: 1 } }
invalidAnnotations: refuse
programs: { allowedNamespaces: [team-a, "*"] }
monitors:
  kind: PodMonitor
  scope: namespace
  interval: 1m
  timeout: 20s
  labels: { release: prometheus }
  relabelings: [{ targetLabel: team, replacement: a }]
  metricRelabelings: [{ action: drop, regex: bpf_x }]
certificate:
  authoritySecret: { namespace: bpf-sidecar, name: bpf-sidecar-ca }
  dnsNames: [bpf-sidecar.bpf-sidecar.svc]
  webhookConfigurations: { mutating: [bpf-sidecar], validating: [bpf-sidecar] }
`,
    'config.yaml',
  );
  assert.deepEqual(config.sidecar.resources, {
    requests: { cpu: '10m', memory: '48Mi' },
    limits: {},
    guaranteed: { cpu: '1', memory: '128Mi' },
  });
  assert.equal(config.sidecar.imagePullPolicy, 'Always');
  assert.equal(config.sidecar.nodeWide, true);
  assert.deepEqual(config.programs.allowedNamespaces, ['team-a', '*']);
  assert.deepEqual(config.monitors.metricRelabelings, [{ action: 'drop', regex: 'bpf_x' }]);
  assert.deepEqual(config.certificate, {
    authoritySecret: { namespace: 'bpf-sidecar', name: 'bpf-sidecar-ca' },
    dnsNames: ['bpf-sidecar.bpf-sidecar.svc'],
    webhookConfigurations: { mutating: ['bpf-sidecar'], validating: ['bpf-sidecar'] },
  });
});

const mistakes: [what: string, yaml: string, message: RegExp][] = [
  ['no YAML', '{', /^config\.yaml: is no YAML: /],
  ['an unknown section', `${least}prometheus: {}`, /^config\.yaml: unknown field "prometheus"; allowed are /],
  ['no image', 'sidecar: {}', /^config\.yaml: sidecar\.image: must be an image reference, not left out$/],
  [
    'an unknown privilege',
    'sidecar: { image: a, privilege: root }',
    /^config\.yaml: sidecar\.privilege: must be one of privileged, capabilities, attach-only, not "root"$/,
  ],
  [
    'no quantity',
    'sidecar: { image: a, resources: { limits: { memory: lots } } }',
    /^config\.yaml: sidecar\.resources\.limits\.memory: must be a quantity above 0, such as 100m or 64Mi, not lots$/,
  ],
  [
    'no duration',
    `${least}monitors: { interval: 30 }`,
    /^config\.yaml: monitors\.interval: must be a duration from 1s to 24h, such as 30s or 1m, not 30$/,
  ],
  [
    'a duration that Prometheus does not know',
    `${least}monitors: { timeout: 1.5h }`,
    /^config\.yaml: monitors\.timeout: must be a duration from 1s to 24h, such as 30s or 1m, not "1\.5h"$/,
  ],
  [
    'a label that is none',
    `${least}monitors: { labels: { a: "b c" } }`,
    /^config\.yaml: monitors\.labels\.a: must be the value of a label, not "b c"$/,
  ],
  [
    'two certificates',
    'sidecar: { image: a }\ncertificate: { directory: /tls, authoritySecret: {} }',
    /^config\.yaml: certificate: must have either authoritySecret or directory$/,
  ],
  [
    'a CA for no name',
    'sidecar: { image: a }\ncertificate: { authoritySecret: { namespace: a, name: b } }',
    /^config\.yaml: certificate\.dnsNames: must be a list of 1 to 64 items, not \[\]$/,
  ],
];

for (const [what, yaml, message] of mistakes)
  test(`${what} is one sentence that names the place`, () => {
    assert.throws(() => parseConfig(yaml, 'config.yaml'), { message });
  });
