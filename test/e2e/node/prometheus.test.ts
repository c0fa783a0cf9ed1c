import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { appImage, firstCalls } from '../../support/app.ts';
import { apply, createNamespace, get, install, inTime, kubectl, pods, skipped } from '../../support/node.ts';
import { installOperator, prometheusVersion } from '../../support/prometheus-operator.ts';
import type { Raw } from '../../webhook/fixtures.ts';

/** Milliseconds: the kubelet takes up to two minutes to bring the configuration that the Operator makes of each monitor. */
const untilConfigured = 300_000;

describe('on a node', skipped, () => {
  let namespace: string;
  let monitoring: string;

  before(async () => {
    await installOperator();
    await install({ 'monitors.interval': '2s', 'monitors.timeout': '2s', 'serviceMonitor.enabled': 'true' });
    namespace = await createNamespace();
    monitoring = await createNamespace();
    await startPrometheus();
  });

  async function startPrometheus(): Promise<void> {
    const name = 'prometheus';
    const role = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole' };
    const subject = { kind: 'ServiceAccount', name, namespace: monitoring };
    await apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: monitoring } });
    await apply({
      ...role,
      metadata: { name },
      rules: [
        { apiGroups: [''], resources: ['services', 'endpoints', 'pods'], verbs: ['get', 'list', 'watch'] },
      ],
    });
    await apply({
      ...role,
      kind: 'ClusterRoleBinding',
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
      subjects: [subject],
    });
    await apply({
      apiVersion: 'monitoring.coreos.com/v1',
      kind: 'Prometheus',
      metadata: { name: 'tests', namespace: monitoring },
      spec: {
        version: prometheusVersion,
        serviceAccountName: name,
        serviceMonitorSelector: {},
        serviceMonitorNamespaceSelector: {},
      },
    });
    await inTime(async () => assert.equal((await get(statefulSet())).status.readyReplicas, 1));
  }

  const statefulSet = () => `/apis/apps/v1/namespaces/${monitoring}/statefulsets/prometheus-tests`;

  /** What a query returns, as labels and value. */
  async function query(promql: string): Promise<{ metric: Record<string, string>; value: number }[]> {
    const path = `/api/v1/namespaces/${monitoring}/pods/prometheus-tests-0:9090/proxy/api/v1/query`;
    const { data } = await get(`${path}?${new URLSearchParams({ query: promql })}`);
    return data.result.map(({ metric, value }: Raw) => ({ metric, value: Number(value[1]) }));
  }

  test('the Prometheus of an Operator has the series of each pod, as its sidecar tells them', async () => {
    const container = (name: string) => ({ name, image: appImage, args: ['wait'] });
    await apply({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace },
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: 'web' } },
        template: {
          metadata: {
            labels: { app: 'web' },
            annotations: { 'bpf.sh/inject': 'true', 'bpf.sh/probes': 'syscalls' },
          },
          spec: { terminationGracePeriodSeconds: 5, containers: [container('one'), container('two')] },
        },
      },
    });
    await kubectl('rollout', 'status', '--namespace', namespace, '--timeout=120s', 'deployment/web');
    const names = (await pods(namespace, 'app=web')).map(({ metadata }) => metadata.name).toSorted();
    const series = await inTime(async () => {
      const found = await query(`bpf_syscalls_total{syscall="times",namespace="${namespace}"}`);
      assert.equal(found.length, 4);
      return found;
    }, untilConfigured);
    const told = series
      .map(({ metric: { namespace, pod, container, node, job }, value }) => ({
        namespace,
        pod,
        container,
        node,
        job,
        value,
      }))
      .toSorted((a, b) => `${a.pod} ${a.container}`.localeCompare(`${b.pod} ${b.container}`));
    const expected = names.flatMap((pod) =>
      ['one', 'two'].map((container) => ({
        namespace,
        pod,
        container,
        node: 'node-1',
        job: 'bpf-sidecar',
        value: firstCalls,
      })),
    );
    assert.deepEqual(told, expected);
    const labels = Object.keys(series[0]!.metric).filter((name) => name.startsWith('exported_'));
    assert.deepEqual(labels, [], 'the labels of the series come before those of the target');
    const up = async () =>
      (await query('up{job="bpf-sidecar"}')).filter(({ metric }) => metric.namespace === namespace);
    assert.deepEqual(
      (await up()).map(({ value }) => value),
      [1, 1],
    );

    await kubectl('delete', '--namespace', namespace, 'deployment/web');
    await inTime(async () => assert.deepEqual(await up(), []), untilConfigured);
  });

  test("the chart's ServiceMonitor has it scrape the replicas of the webhook", async () => {
    await inTime(async () => {
      const up = await query('up{job="bpf-sidecar-webhook"}');
      assert.deepEqual(
        up.map(({ value }) => value),
        [1, 1],
      );
    }, untilConfigured);
    // The last scrape may have been before the pods.
    await inTime(async () => {
      const [reviews] = await query('sum(bpf_webhook_admissions_total{result="injected"})');
      assert.ok(reviews!.value >= 2);
    });
  });
});
