import assert from 'node:assert/strict';
import { test } from 'node:test';
import { desiredObjects, nameFor, selectorFor } from '../../../webhook/monitors/desired.ts';
import type { Raw } from '../fixtures.ts';
import { injectedPod, monitors } from './pods.ts';

const objects = (...args: Parameters<typeof desiredObjects>): Raw[] =>
  desiredObjects(...args).map(({ object }) => object);
const hashes = (...args: Parameters<typeof desiredObjects>) =>
  desiredObjects(...args).map(({ hash }) => hash);

const name = 'bpf-sidecar-0123456789abcdef';
const labels = {
  'app.kubernetes.io/name': 'bpf-sidecar',
  'app.kubernetes.io/managed-by': 'bpf-sidecar',
  'bpf.sh/monitor': name,
};
const ownerReferences = [
  { apiVersion: 'v1', kind: 'Pod', name: 'web-5d8f6-x2x4z', uid: '705ab4f5-6393-11e8-b7cc-42010a800002' },
];
const job = { action: 'replace', targetLabel: 'job', replacement: 'bpf-sidecar' };

test('a pod has a headless Service and a ServiceMonitor of its own, which go with it', () => {
  const [service, monitor] = objects([injectedPod()], monitors);
  assert.match(service.metadata.annotations['bpf.sh/monitor-hash'], /^[0-9a-f]{16}$/);
  assert.deepEqual(service, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      namespace: 'shop',
      labels,
      ownerReferences,
      annotations: service.metadata.annotations,
    },
    spec: {
      clusterIP: 'None',
      selector: { 'bpf.sh/injected': 'true', 'bpf.sh/id': '0123456789abcdef' },
      publishNotReadyAddresses: true,
      ports: [{ name: 'bpf-metrics', port: 9387, targetPort: 9387, protocol: 'TCP' }],
    },
  });
  assert.deepEqual(monitor, {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'ServiceMonitor',
    metadata: {
      name,
      namespace: 'shop',
      labels,
      ownerReferences,
      annotations: monitor.metadata.annotations,
    },
    spec: {
      selector: { matchLabels: { 'bpf.sh/monitor': name } },
      endpoints: [
        {
          port: 'bpf-metrics',
          path: '/metrics',
          interval: '30s',
          scrapeTimeout: '10s',
          honorLabels: true,
          relabelings: [job],
        },
      ],
    },
  });
});

test('a PodMonitor needs no Service', () => {
  const [monitor, ...rest] = objects([injectedPod({ port: 9400 })], { ...monitors, kind: 'PodMonitor' });
  assert.deepEqual(rest, []);
  assert.equal(monitor.kind, 'PodMonitor');
  assert.deepEqual(monitor.spec.selector.matchLabels, {
    'bpf.sh/injected': 'true',
    'bpf.sh/id': '0123456789abcdef',
  });
  assert.equal(monitor.spec.podMetricsEndpoints[0].port, 'bpf-metrics');
});

test('in scope namespace one of each selects all injected pods, and nobody owns them', () => {
  const pods = [injectedPod(), injectedPod({ uid: 'b', id: undefined, interval: '5s' })];
  const [service, monitor] = objects(pods, { ...monitors, scope: 'namespace' });
  assert.equal(service.metadata.name, 'bpf-sidecar-pods');
  assert.equal(service.metadata.ownerReferences, undefined);
  assert.deepEqual(service.spec.selector, { 'bpf.sh/injected': 'true' });
  assert.deepEqual(monitor.spec.selector.matchLabels, { 'bpf.sh/monitor': 'bpf-sidecar-pods' });
  assert.equal(monitor.spec.endpoints[0].interval, '30s', 'of the configuration, not of some pod');
});

test('pods that listen on different ports are reached by the name of the port', () => {
  const target = (...ports: (number | undefined)[]) =>
    objects(
      ports.map((port, index) => injectedPod({ port, uid: String(index) })),
      { ...monitors, scope: 'namespace' },
    )[0].spec.ports[0].targetPort;
  assert.equal(target(9400, 9400), 9400);
  assert.equal(target(9400, 9387), 'bpf-metrics');
  assert.equal(target(9400, undefined), 'bpf-metrics');
  assert.equal(target(undefined), 'bpf-metrics');
});

test('annotations come before the configuration, and a timeout never exceeds the interval', () => {
  const scraping = (interval: string | undefined, timeout: string | undefined) => {
    const [, monitor] = objects([injectedPod({ interval, timeout })], monitors);
    const { interval: each, scrapeTimeout } = monitor.spec.endpoints[0];
    return [each, scrapeTimeout];
  };
  assert.deepEqual(scraping('1m', '20s'), ['1m', '20s']);
  assert.deepEqual(scraping('5s', undefined), ['5s', '5s']);
  assert.deepEqual(scraping(undefined, '45s'), ['30s', '30s']);
  assert.deepEqual(scraping('90s', '1m30s'), ['90s', '1m30s']);
});

test('labels and relabelings of the configuration are added to ours', () => {
  const relabelings = [{ targetLabel: 'team', replacement: 'a' }];
  const metricRelabelings = [{ action: 'drop', regex: 'bpf_x' }];
  const [service, monitor] = objects([injectedPod()], {
    ...monitors,
    labels: { release: 'prometheus', 'bpf.sh/monitor': 'other' },
    relabelings,
    metricRelabelings,
  });
  assert.deepEqual(service.metadata.labels, labels);
  assert.deepEqual(monitor.metadata.labels, { release: 'prometheus', ...labels });
  assert.deepEqual(monitor.spec.endpoints[0].relabelings, [job, ...relabelings]);
  assert.deepEqual(monitor.spec.endpoints[0].metricRelabelings, metricRelabelings);
});

test('pods that share an identity share what is kept, in whatever order they are known', () => {
  const pods = ['c', 'a', 'b'].map((uid) =>
    injectedPod({ uid, name: uid, interval: `${uid.charCodeAt(0)}s` }),
  );
  const [service, monitor] = objects(pods, monitors);
  assert.equal(service.metadata.ownerReferences, undefined);
  assert.equal(monitor.spec.endpoints[0].interval, '97s');
  assert.deepEqual(hashes(pods.toReversed(), monitors), hashes(pods, monitors));
});

test('the hash tells every change, and nothing else changes it', () => {
  const [service, monitor] = hashes([injectedPod()], monitors);
  assert.deepEqual(hashes([injectedPod()], structuredClone(monitors)), [service, monitor]);
  const slower = hashes([injectedPod({ interval: '1m' })], monitors);
  assert.equal(slower[0], service);
  assert.notEqual(slower[1], monitor);
});

test('a pod without an identity is selected by its namespace only', () => {
  const pod = injectedPod({ id: undefined });
  assert.equal(nameFor(pod, monitors), undefined);
  assert.equal(nameFor(pod, { ...monitors, scope: 'namespace' }), 'bpf-sidecar-pods');
});

test('names that the configuration does not make select nothing', () => {
  const namespace = { ...monitors, scope: 'namespace' } as const;
  assert.deepEqual(selectorFor(name, monitors), {
    'bpf.sh/injected': 'true',
    'bpf.sh/id': '0123456789abcdef',
  });
  assert.equal(selectorFor('bpf-sidecar-pods', monitors), undefined);
  assert.equal(selectorFor('web', monitors), undefined);
  assert.equal(selectorFor(name, namespace), undefined);
  assert.deepEqual(selectorFor('bpf-sidecar-pods', namespace), { 'bpf.sh/injected': 'true' });
});
