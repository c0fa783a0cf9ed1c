import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { noTools } from '../../scripts/cluster/tools.ts';
import { find, type Rendered, render } from './chart.ts';
import { matrix } from './matrix.ts';

interface Rule {
  apiGroups: string[];
  resources: string[];
  resourceNames?: string[];
  verbs: string[];
}

/** `where: resources[/names]: verbs`, of the roles of the webhook (the test's are hooks of helm). */
function grants(objects: readonly Rendered[]): string[] {
  return objects
    .filter(({ kind, metadata }) => /^(Cluster)?Role$/.test(kind) && !metadata.annotations?.['helm.sh/hook'])
    .flatMap(({ metadata, rules }) =>
      (rules as Rule[]).map(
        ({ apiGroups, resources, resourceNames = [], verbs }) =>
          `${metadata.namespace ?? '*'}: ${resources
            .map((resource) => [resource, ...apiGroups.filter(Boolean)].join('.'))
            .join(', ')}${resourceNames.map((name) => ` "${name}"`).join()}: ${verbs.join(', ')}`,
      ),
    );
}

const always = ['*: namespaces: list, watch', '*: events: create, patch'];
const pods = '*: pods: list, watch';
const programs = ['*: bpfs.bpf.sh: list, watch', '*: bpfs/status.bpf.sh: patch', '*: pods: list, watch, get'];
const ownCertificate = [
  '*: mutatingwebhookconfigurations.admissionregistration.k8s.io, validatingwebhookconfigurations.admissionregistration.k8s.io "bpf-sidecar": get, list, watch, patch',
  'observability: secrets: create',
  'observability: secrets "bpf-sidecar-ca": get, list, watch, patch',
];
const monitors =
  '*: servicemonitors.monitoring.coreos.com, podmonitors.monitoring.coreos.com: list, watch, delete';
const serviceMonitors = [
  '*: services: list, watch, delete, create, patch',
  monitors,
  '*: servicemonitors.monitoring.coreos.com: create, patch',
];

describe('what the webhook may do in the cluster', { skip: noTools }, () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['defaults', [...always, ...ownCertificate, pods, ...serviceMonitors]],
    [
      'pod monitors',
      [
        ...always,
        ...ownCertificate,
        pods,
        '*: services: list, watch, delete',
        monitors,
        '*: podmonitors.monitoring.coreos.com: create, patch',
      ],
    ],
    ['annotations for Prometheus', [...always, ...ownCertificate]],
    ['no monitors', [...always, ...ownCertificate]],
    ['a given Secret', [...always, pods, ...serviceMonitors]],
    ['cert-manager with an issuer of its own', [...always, pods, ...serviceMonitors]],
    [
      'programs in two namespaces',
      [
        ...always,
        ...ownCertificate,
        ...serviceMonitors,
        ...programs,
        'shop: configmaps: get, create, patch',
        'lab: configmaps: get, create, patch',
      ],
    ],
    [
      'programs everywhere',
      [...always, ...ownCertificate, ...serviceMonitors, ...programs, '*: configmaps: get, create, patch'],
    ],
  ];
  for (const [name, expected] of cases)
    test(name, () => assert.deepEqual(grants(render(matrix[name])).sort(), [...expected].sort()));

  test('each role is bound, to the service account of the release and nobody else', () => {
    for (const values of Object.values(matrix)) {
      const objects = render(values);
      const roles = objects.filter(({ kind }) => /^(Cluster)?Role$/.test(kind));
      const bindings = objects.filter(({ kind }) => /^(Cluster)?RoleBinding$/.test(kind));
      const place = ({ kind, metadata }: Rendered) => `${kind} ${metadata.namespace} ${metadata.name}`;
      assert.deepEqual(
        bindings.map(place),
        roles.map(place).map((role) => role.replace('Role', 'RoleBinding')),
      );
      for (const { kind, metadata, roleRef, subjects } of bindings) {
        const account = {
          kind: 'ServiceAccount',
          namespace: 'observability',
          name: metadata.name.replace('-programs', ''),
        };
        assert.deepEqual(subjects, [account]);
        assert.equal(roleRef.kind, kind.replace('Binding', ''));
        assert.equal(roleRef.name, metadata.name);
      }
    }
  });
});

describe('what the chart installs', { skip: noTools }, () => {
  test('pods that a namespace of the level restricted admits', () => {
    const objects = render();
    for (const pod of [find(objects, 'Deployment').spec.template, find(objects, 'Pod')]) {
      assert.deepEqual(pod.spec.securityContext, {
        runAsNonRoot: true,
        runAsUser: 65532,
        runAsGroup: 65532,
        fsGroup: 65532,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      const [container, ...others] = pod.spec.containers;
      assert.deepEqual(others, []);
      assert.deepEqual(container.securityContext, {
        privileged: false,
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    }
  });

  test('webhooks that are called only for what has an annotation of ours, and never for the release itself', () => {
    const [optOut, optIn] = [{}, { admission: { optIn: true } }].map((values) =>
      webhooksOf(render(values)).filter(({ name }) => name !== 'programs.bpf.sh'),
    );
    const left = {
      key: 'kubernetes.io/metadata.name',
      operator: 'NotIn',
      values: ['kube-system', 'observability'],
    };
    for (const webhook of optOut!)
      assert.deepEqual(webhook.namespaceSelector.matchExpressions, [
        left,
        { key: 'bpf.sh/injection', operator: 'NotIn', values: ['disabled'] },
      ]);
    for (const webhook of optIn!)
      assert.deepEqual(webhook.namespaceSelector.matchExpressions, [
        left,
        { key: 'bpf.sh/injection', operator: 'In', values: ['enabled'] },
      ]);
    for (const { name, matchConditions } of optOut!) {
      assert.equal(matchConditions[0].name, 'annotated', name);
      assert.match(matchConditions[0].expression, /startsWith\('bpf\.sh\/'\)/);
    }
  });

  test('no webhook that could keep anything from being created, but that of pods where the administrator says so', () => {
    const policies = (values: object) =>
      webhooksOf(render(values)).map(({ name, failurePolicy }) => `${name} ${failurePolicy}`);
    const others = ['templates.bpf.sh Ignore', 'cronjobs.bpf.sh Ignore', 'programs.bpf.sh Ignore'];
    assert.deepEqual(policies({}), ['pods.bpf.sh Ignore', ...others]);
    assert.deepEqual(policies({ admission: { failurePolicy: 'Fail' } }), ['pods.bpf.sh Fail', ...others]);
  });

  test('no caBundle where the webhook or cert-manager writes it, so that nobody sees a drift', () => {
    for (const [name, values] of Object.entries(matrix)) {
      const bundles = webhooksOf(render(values)).map(({ clientConfig }) => clientConfig.caBundle);
      const given = name === 'a given Secret';
      assert.ok(
        bundles.every((bundle) => (bundle !== undefined) === given),
        name,
      );
    }
    const [mutating, validating] = configurations(render(matrix['cert-manager with an issuer of its own']));
    for (const { metadata } of [mutating!, validating!])
      assert.deepEqual(metadata.annotations, {
        'cert-manager.io/inject-ca-from': 'observability/bpf-sidecar',
      });
  });

  test('an image by its digest where there is one', () => {
    const objects = render(matrix['images by digest']);
    const image = `registry.example/webhook@sha256:${'a'.repeat(64)}`;
    assert.equal(find(objects, 'Deployment').spec.template.spec.containers[0].image, image);
    assert.equal(find(objects, 'Pod').spec.containers[0].image, image);
    const policy = find(objects, 'ValidatingAdmissionPolicy', 'bpf-sidecar-create');
    assert.ok(
      policy.spec.validations[1].expression.includes(
        `c.image in ['registry.example/sidecar@sha256:${'b'.repeat(64)}']`,
      ),
    );
  });

  test('a network policy: in to the port, out to the API server, and to sidecars where there are programs', () => {
    const egress = (values: object) => find(render(values), 'NetworkPolicy').spec.egress;
    const apiServer = { ports: [443, 6443, 8443, 16443].map((port) => ({ port, protocol: 'TCP' })) };
    assert.deepEqual(egress({}), [apiServer]);
    assert.deepEqual(egress({ programs: { allowedNamespaces: ['shop'] } }), [
      apiServer,
      {
        to: [{ namespaceSelector: {}, podSelector: { matchLabels: { 'bpf.sh/injected': 'true' } } }],
      },
    ]);
    assert.deepEqual(find(render(), 'NetworkPolicy').spec.ingress, [
      { ports: [{ port: 'https', protocol: 'TCP' }] },
    ]);
  });
});

function configurations(objects: readonly Rendered[]): Rendered[] {
  return objects.filter(({ kind }) => kind.endsWith('WebhookConfiguration'));
}

function webhooksOf(objects: readonly Rendered[]) {
  return configurations(objects).flatMap(({ webhooks }) => webhooks);
}
