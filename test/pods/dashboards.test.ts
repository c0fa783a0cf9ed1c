import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { familiesIn } from '../../scripts/dashboards/queries.ts';
import { startWebhook, type Webhook } from '../../scripts/demo/webhook.ts';
import { cgroupRoot } from '../../scripts/node/cgroups.ts';
import { builtinProbes } from '../../sidecar/contract/probes.ts';
import { chartDashboards, labelsOf, panelsOf, type Target } from '../support/dashboards.ts';
import { eventually } from '../support/eventually.ts';
import { startEverything } from '../support/everything.ts';
import { prometheusMissing } from '../support/exposition.ts';
import { type ObservedPod, startObservedPod } from '../support/pod.ts';
import { type Prometheus, sidecarJob, startPrometheus } from '../support/prometheus.ts';
import { createClient, mutateCall } from '../webhook/client.ts';
import { askingPod, reviewOf } from '../webhook/fixtures.ts';

/** What Grafana puts in for the variables. */
const variables: Readonly<Record<string, string>> = {
  namespace: 'shop',
  pod: 'cart-7d',
  container: '.*',
  __rate_interval: '30s',
};
const filled = (text: string) => text.replace(/\$(\w+)/g, (_, name) => variables[name]!);

const statistics = '/proc/sys/kernel/bpf_stats_enabled';

/** Families without series here, and why. Their names and labels are compared with what there is all the same. */
function missing(pod: ObservedPod): [families: RegExp, reason: string][] {
  const has = (file: string) => existsSync(join(pod.sidecar.cgroup, file));
  const without = (controller: string) => `needs the ${controller} controller in the cgroup v2 hierarchy`;
  const cpu = readFileSync(join(cgroupRoot(), 'cgroup.controllers'), 'utf8').includes('cpu');
  return [
    [/^bpf_disk_(?!operations_uncounted)/, 'needs a device whose I/O is charged to cgroup v2'],
    [/^bpf_sidecar_(load|read)_errors_total$/, 'counts what must not happen'],
    [/^bpf_webhook_certificate_failures_total$/, 'counts what must not happen'],
    [/^bpf_webhook_(events|monitors)_/, 'needs an API server'],
    ...(cpu ? [] : [[/^bpf_cpu_(throttled_)?(periods|seconds)_total$/, without('cpu')] as [RegExp, string]]),
    ...(has('memory.stat')
      ? []
      : [[/^bpf_memory_(usage_bytes|high_|limit_)/, without('memory')] as [RegExp, string]]),
    ...(has('cpu.pressure') ? [] : [[/^bpf_pressure_/, 'needs a kernel with PSI'] as [RegExp, string]]),
  ];
}

describe('each query of the dashboards has data, with the labels of its legend:', {
  skip: prometheusMissing,
}, () => {
  let pod: ObservedPod;
  let webhook: Webhook;
  let prometheus: Prometheus;
  let everything: Awaited<ReturnType<typeof startEverything>>;
  const counted = readFileSync(statistics, 'utf8');

  before(async () => {
    writeFileSync(statistics, '1');
    pod = await startObservedPod({
      namespace: variables.namespace!,
      pod: variables.pod!,
      probes: builtinProbes.join(','),
      annotations: { 'bpf.sh/probe-options': 'dns.domains=50,security.known=10.0.0.0/8' },
    });
    webhook = await startWebhook('bpf-sidecar:test');
    everything = await startEverything(pod);
    prometheus = await startPrometheus([
      sidecarJob(new URL(pod.url('/')).host),
      {
        job_name: 'webhook',
        scheme: 'https',
        tls_config: { insecure_skip_verify: true },
        static_configs: [
          {
            targets: [new URL(webhook.url).host],
            labels: { namespace: variables.namespace, pod: variables.pod },
          },
        ],
      },
    ]);
  });
  after(async () => {
    await prometheus.stop();
    await everything.remove();
    await webhook.terminate(10);
    await pod.stop();
    writeFileSync(statistics, counted);
  });

  /** Which of the queries have no number, or none with a label that their legend names. */
  async function lacking(targets: readonly Target[]): Promise<string[]> {
    const answers = targets.map(async (target) => {
      const results = await prometheus.query(filled(target.expr));
      const numbers = results.filter(({ value: [, value] }) => value !== 'NaN');
      const isComplete =
        numbers.length > 0 &&
        labelsOf(target).every((label) => numbers.some(({ metric }) => label in metric));
      return isComplete ? [] : [`${target.expr} has ${JSON.stringify(results.slice(0, 2))}`];
    });
    return (await Promise.all(answers)).flat();
  }

  async function admissions(): Promise<void> {
    const call = createClient(webhook.url, webhook.ca);
    const mistake = { probes: 'netwrok' };
    for (const pod of [askingPod(), askingPod(mistake)]) await call(mutateCall(reviewOf(pod)));
    const { request, ...review } = reviewOf({
      metadata: { name: 'web' },
      spec: { template: askingPod(mistake) },
    });
    const kind = { group: 'apps', version: 'v1', kind: 'Deployment' };
    await call({ ...mutateCall({ ...review, request: { ...request, kind } }), path: '/templates' });
  }

  const happenings: Readonly<Record<string, () => Promise<void>>> = {
    pod: () => everything.happens(),
    namespace: () => everything.happens(),
    webhook: admissions,
  };

  for (const [name, dashboard] of chartDashboards)
    test(name, async (t) => {
      const absent = missing(pod);
      const targets = panelsOf(dashboard).flatMap(({ targets = [] }) => targets);
      const reasonFor = ({ expr }: Target) =>
        absent.find(([names]) => familiesIn(expr).some((family) => names.test(family)))?.[1];
      const { wanted = [], ...others } = Object.groupBy(targets, (target) => reasonFor(target) ?? 'wanted');
      for (const [reason, left] of Object.entries(others))
        t.diagnostic(`${left!.length} of ${targets.length} queries are not asked: ${reason}`);
      assert.ok(wanted.length > 10);
      await eventually(async () => {
        await happenings[name]!();
        assert.deepEqual(await lacking(wanted), []);
      }, 120_000);
    });

  test('the variables offer what there is', async () => {
    for (const { templating } of chartDashboards.values())
      for (const { type, name, definition } of templating.list) {
        if (type !== 'query') continue;
        const [, selector, label] = /^label_values\((.*), (\w+)\)$/.exec(filled(definition))!;
        const offered = await prometheus.labelValues(label!, selector!);
        assert.ok(
          offered.includes(name === 'container' ? 'client' : variables[name]!),
          `${definition}: ${offered}`,
        );
        assert.ok(name !== 'container' || !offered.includes('bpf-sidecar'), definition);
      }
  });
});
