import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { noTools } from '../../scripts/cluster/tools.ts';
import { familiesIn } from '../../scripts/dashboards/queries.ts';
import { probeFamilies } from '../../scripts/docs/families.ts';
import { skipReasons } from '../../webhook/admission/reasons.ts';
import { read } from '../docs/documents.ts';
import { promtoolMissing } from '../support/exposition.ts';
import { find, render } from './chart.ts';

const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-alerts-'));
after(() => rmSync(directory, { recursive: true }));

const target = 'namespace="observability",service="bpf-sidecar"';
const hour = 3600;
const day = 24 * hour;

/** What is in Prometheus, each minute, and which alerts fire when an hour and more has passed. */
interface Story {
  values?: object;
  series: Readonly<Record<string, string>>;
  /** Their labels. */
  alerts: readonly string[];
}

const slow = (le: string) =>
  `bpf_webhook_admission_duration_seconds_bucket{${target},path="/mutate",le="${le}"}`;
const scrapes = (part: string, le = '') =>
  `bpf_sidecar_scrape_duration_seconds_${part}{namespace="shop",pod="a"${le}}`;
const skipped = (reason: string) =>
  `bpf_webhook_admissions_total{${target},result="skipped",reason="${reason}"}`;

/** Every family that there is an alert about. */
const well = {
  [`up{${target}}`]: '1x120',
  [`bpf_webhook_admissions_total{${target},result="injected",reason=""}`]: '0+10x120',
  [`bpf_webhook_admissions_total{${target},result="error",reason="not-json"}`]: '4x120',
  [skipped('not-requested')]: '0+10x120',
  [skipped('invalid-annotation')]: '4x120',
  [slow('0.1')]: '0+99x120',
  [slow('0.5')]: '0+100x120',
  [slow('1')]: '0+100x120',
  [slow('+Inf')]: '0+100x120',
  [`bpf_webhook_connections_dropped_total{${target}}`]: '3x120',
  'apiserver_admission_webhook_fail_open_count{name="pods.bpf.sh"}': '7x120',
  [`bpf_webhook_certificate_not_after_timestamp_seconds{${target},certificate="leaf"}`]: `${8 * day}x120`,
  [`bpf_webhook_certificate_not_after_timestamp_seconds{${target},certificate="authority"}`]: `${90 * day}x120`,
  // One failure, which did not happen again.
  [`bpf_webhook_certificate_failures_total{${target},reason="bundle"}`]: '0x80 1x40',
  [`bpf_webhook_monitors_total{${target},result="failed"}`]: '0x80 1x40',
  [`bpf_webhook_monitors_total{${target},result="written"}`]: '0+3x120',
  [`bpf_webhook_monitors_pods_left_out{${target}}`]: '0x120',
  'up{namespace="shop",pod="a",endpoint="bpf-metrics"}': '1x120',
  'bpf_sidecar_program_attached{namespace="shop",pod="a",probe="tcp",program="tcp_event"}': '1x120',
  'bpf_sidecar_probe_loaded{namespace="shop",pod="a",probe="tcp"}': '1x120',
  'bpf_sidecar_config_valid{namespace="shop",pod="a"}': '1x120',
  'bpf_sidecar_series_dropped_total{namespace="shop",pod="a",probe="mine",reason="family_full"}': '5x120',
  'bpf_sidecar_events_dropped_total{namespace="shop",pod="a",probe="mine"}': '5x120',
  'bpf_sidecar_read_errors_total{namespace="shop",pod="a",probe="tcp"}': '5x120',
  [scrapes('bucket', ',le="0.25"')]: '0+19x120',
  [scrapes('count')]: '0+20x120',
  ...Object.fromEntries(
    [...probeFamilies.values()]
      .flat()
      .filter(({ name }) => name.endsWith('_uncounted_total'))
      .map(({ name }) => [`${name}{namespace="shop",pod="a"}`, '5x120']),
  ),
};
const leaf = `bpf_webhook_certificate_not_after_timestamp_seconds{${target},certificate="leaf"}`;
const certManager = { certificate: { source: 'cert-manager' } };

const stories: Readonly<Record<string, Story>> = {
  'nothing, when all is well': { series: well, alerts: [] },
  'a webhook of which no replica answers': {
    series: { ...well, [`up{${target}}`]: '0x120' },
    alerts: ['{alertname="BpfWebhookDown"}'],
  },
  'a webhook that is not there': {
    series: Object.fromEntries(Object.entries(well).filter(([name]) => !name.includes('observability'))),
    alerts: ['{alertname="BpfWebhookDown"}'],
  },
  'requests that could not be answered': {
    series: {
      ...well,
      [`bpf_webhook_admissions_total{${target},result="error",reason="internal"}`]: '0+1x120',
    },
    alerts: ['{alertname="BpfWebhookAdmissionsFailed",reason="internal"}'],
  },
  'pods that the API server created without asking': {
    series: { ...well, 'apiserver_admission_webhook_fail_open_count{name="pods.bpf.sh"}': '0+2x120' },
    alerts: ['{alertname="BpfWebhookNotCalled"}'],
  },
  'a certificate of three hours': {
    series: { ...well, [leaf]: `${5 * hour}x120` },
    alerts: ['{alertname="BpfWebhookCertificateExpiresSoon",certificate="leaf"}'],
  },
  'a certificate of cert-manager of five days': {
    values: certManager,
    series: { ...well, [leaf]: `${5 * day}x120` },
    alerts: ['{alertname="BpfWebhookCertificateExpiresSoon",certificate="leaf"}'],
  },
  'not a certificate of our own of five days': { series: { ...well, [leaf]: `${5 * day}x120` }, alerts: [] },
  'a CA of three weeks': {
    series: {
      ...well,
      [`bpf_webhook_certificate_not_after_timestamp_seconds{${target},certificate="authority"}`]: `${21 * day}x120`,
    },
    alerts: ['{alertname="BpfWebhookAuthorityExpiresSoon",certificate="authority"}'],
  },
  'sidecars that are down, once for a namespace': {
    series: {
      ...well,
      'up{namespace="shop",pod="b",endpoint="bpf-metrics"}': '0x120',
      'up{namespace="shop",pod="c",endpoint="bpf-metrics"}': '0x120',
      'up{namespace="shop",pod="d",endpoint="web"}': '0x120',
    },
    alerts: ['{alertname="BpfSidecarDown",namespace="shop"}'],
  },
  'programs that are not attached, once for a program': {
    series: {
      ...well,
      'bpf_sidecar_program_attached{namespace="shop",pod="b",probe="tcp",program="tcp_event"}': '0x120',
      'bpf_sidecar_program_attached{namespace="shop",pod="c",probe="tcp",program="tcp_event"}': '0x120',
    },
    alerts: ['{alertname="BpfSidecarProgramNotAttached",namespace="shop",probe="tcp",program="tcp_event"}'],
  },
  'pods that ask and are skipped': {
    series: { ...well, [skipped('port-conflict')]: '0x60 1+1x60' },
    alerts: ['{alertname="BpfWebhookPodsSkipped",reason="port-conflict"}'],
  },
  'even one pod that is skipped': {
    series: { ...well, [skipped('port-conflict')]: '0x80 1x40' },
    alerts: ['{alertname="BpfWebhookPodsSkipped",reason="port-conflict"}'],
  },
  'not pods that want no sidecar': {
    series: { ...well, [skipped('disabled')]: '0+1x120', [skipped('already-injected')]: '0+1x120' },
    alerts: [],
  },
  'slow admissions': {
    series: { ...well, [slow('0.5')]: '0+97x120', [slow('0.1')]: '0+97x120' },
    alerts: ['{alertname="BpfWebhookSlow"}'],
  },
  'connections that are not accepted': {
    series: { ...well, [`bpf_webhook_connections_dropped_total{${target}}`]: '0+3x120' },
    alerts: ['{alertname="BpfWebhookConnectionsDropped"}'],
  },
  'a caBundle that cannot be written': {
    series: { ...well, [`bpf_webhook_certificate_failures_total{${target},reason="bundle"}`]: '0+1x120' },
    alerts: ['{alertname="BpfWebhookCertificateFailing",reason="bundle"}'],
  },
  'monitors that cannot be written': {
    series: { ...well, [`bpf_webhook_monitors_total{${target},result="failed"}`]: '0+1x120' },
    alerts: ['{alertname="BpfWebhookMonitorsFailing"}'],
  },
  'not of monitors that nobody wants': {
    values: { monitors: { kind: 'none' } },
    series: {
      ...well,
      [`bpf_webhook_monitors_total{${target},result="failed"}`]: '0+1x120',
      [`bpf_webhook_monitors_pods_left_out{${target}}`]: '2x120',
    },
    alerts: [],
  },
  'pods that have no monitor': {
    series: { ...well, [`bpf_webhook_monitors_pods_left_out{${target}}`]: '2x120' },
    alerts: ['{alertname="BpfSidecarsWithoutMonitor"}'],
  },
  'probes that are not loaded, once for a probe': {
    series: {
      ...well,
      'bpf_sidecar_probe_loaded{namespace="shop",pod="b",probe="mine"}': '0x120',
      'bpf_sidecar_probe_loaded{namespace="shop",pod="c",probe="mine"}': '0x120',
    },
    alerts: ['{alertname="BpfSidecarProbeNotLoaded",namespace="shop",probe="mine"}'],
  },
  'annotations that are refused': {
    series: { ...well, 'bpf_sidecar_config_valid{namespace="shop",pod="b"}': '0x120' },
    alerts: ['{alertname="BpfSidecarAnnotationsRefused",namespace="shop"}'],
  },
  'series that are left out': {
    series: {
      ...well,
      'bpf_sidecar_series_dropped_total{namespace="shop",pod="a",probe="mine",reason="family_full"}':
        '0+9x120',
    },
    alerts: ['{alertname="BpfSidecarSeriesDropped",namespace="shop",probe="mine",reason="family_full"}'],
  },
  'events that are not counted, for each probe': {
    series: {
      ...well,
      'bpf_tcp_events_uncounted_total{namespace="shop",pod="a"}': '0+1x120',
      'bpf_tcp_events_uncounted_total{namespace="shop",pod="b"}': '0+1x120',
      'bpf_syscalls_uncounted_total{namespace="lab",pod="a"}': '0+1x120',
    },
    alerts: [
      '{alertname="BpfSidecarEventsUncounted",namespace="shop",probe="tcp"}',
      '{alertname="BpfSidecarEventsUncounted",namespace="lab",probe="syscalls"}',
    ],
  },
  'events that are dropped': {
    series: { ...well, 'bpf_sidecar_events_dropped_total{namespace="shop",pod="a",probe="mine"}': '0+1x120' },
    alerts: ['{alertname="BpfSidecarEventsDropped",namespace="shop",probe="mine"}'],
  },
  'maps that cannot be read': {
    series: { ...well, 'bpf_sidecar_read_errors_total{namespace="shop",pod="a",probe="tcp"}': '0+1x120' },
    alerts: ['{alertname="BpfSidecarReadErrors",namespace="shop",probe="tcp"}'],
  },
  'slow scrapes, once for a namespace': {
    series: { ...well, [scrapes('bucket', ',le="0.25"')]: '0+17x120' },
    alerts: ['{alertname="BpfSidecarScrapeSlow",namespace="shop"}'],
  },
};

describe('the alerts tell of', { skip: noTools ?? promtoolMissing }, () => {
  for (const [name, { values, series, alerts }] of Object.entries(stories)) {
    test(name, () => {
      writeFileSync(join(directory, 'rules.json'), JSON.stringify({ groups: groupsOf(values) }));
      writeFileSync(
        join(directory, 'test.json'),
        JSON.stringify({
          rule_files: ['rules.json'],
          evaluation_interval: '1m',
          tests: [
            {
              interval: '1m',
              input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
              promql_expr_test: [
                {
                  // What fires, and of what: not how severe it is.
                  expr: 'count by (alertname, reason, certificate, namespace, probe, program) (ALERTS{alertstate="firing"})',
                  eval_time: '90m',
                  exp_samples: alerts.map((labels) => ({ labels, value: 1 })),
                },
              ],
            },
          ],
        }),
      );
      const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', 'test.json'], {
        cwd: directory,
        encoding: 'utf8',
      });
      assert.equal(status, 0, stdout + stderr);
    });
  }
});

/** How long an expression has to be true, in the words of the document. */
const spans: Readonly<Record<string, string>> = {
  '5m': '5 minutes',
  '10m': '10 minutes',
  '15m': '15 minutes',
  '30m': '30 minutes',
  '1h': 'an hour',
};

interface Rule {
  alert?: string;
  record?: string;
  expr: string;
  for?: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

function groupsOf({ prometheusRule, ...values }: { prometheusRule?: object } = {}): { rules: Rule[] }[] {
  const rule = { prometheusRule: { enabled: true, ...prometheusRule } };
  return find(render({ ...values, ...rule }), 'PrometheusRule').spec.groups;
}

describe('the alerts', { skip: noTools }, () => {
  const rules = noTools ? [] : groupsOf().flatMap((group) => group.rules);
  const alerts = rules.filter(({ alert }) => alert !== undefined);
  const names = alerts.map(({ alert }) => alert!);

  test('each fire in a story, and have what they are about in that in which all is well', () => {
    const told = Object.values(stories).flatMap((story) =>
      story.alerts.map((labels) => /alertname="(\w+)"/.exec(labels)![1]!),
    );
    assert.deepEqual([...new Set(told)].sort(), names.toSorted());
    const known = Object.keys(well).flatMap(familiesIn);
    for (const { expr } of rules)
      for (const family of familiesIn(expr.replaceAll(/\w+:\w+:\w+/g, '')))
        assert.ok(known.includes(family), family);
  });

  test('say how severe they are and what to do, and lead to their section of the document', () => {
    for (const { alert, labels, annotations } of alerts) {
      assert.match(labels.severity!, /^(critical|warning)$/, alert);
      assert.match(annotations.summary!, /\.$/, alert);
      assert.ok(annotations.description, alert);
      assert.equal(annotations.runbook_url, `docs/alerts.md#${alert!.toLowerCase()}`);
    }
    const runbooks = 'https://wiki.example/alerts';
    for (const { alert, annotations } of groupsOf({ prometheusRule: { runbooks } }).flatMap(
      ({ rules }) => rules,
    ))
      if (alert) assert.equal(annotations.runbook_url, `${runbooks}#${alert.toLowerCase()}`);
  });

  test('have a section each, with meaning, cause and remedy, how severe they are and after how long', () => {
    const [, ...sections] = read('docs/alerts.md').split(/^## /m);
    assert.deepEqual(
      sections.map((section) => section.split('\n')[0]),
      names,
    );
    for (const [index, section] of sections.entries()) {
      const { for: duration, labels } = alerts[index]!;
      const after = duration === undefined ? '' : `, after ${spans[duration]}`;
      assert.match(section.toLowerCase(), new RegExp(`^.*\n\n${labels.severity}${after}. `));
      for (const part of ['Meaning', 'Cause', 'Remedy'])
        assert.equal(section.split(`**${part}:**`).length, 2, `${part} of ${names[index]}`);
    }
  });

  test('take for unintended what has a warning', () => {
    const { expr } = alerts.find(({ alert }) => alert === 'BpfWebhookPodsSkipped')!;
    const intended = Object.entries(skipReasons).flatMap(([reason, { warn }]) => (warn ? [] : [reason]));
    assert.ok(expr.includes(`reason!~"${intended.join('|')}"`));
  });

  test('know what each probe could not count', () => {
    const recorded = rules.filter(({ record }) => record !== undefined);
    const expected = [...probeFamilies].flatMap(([probe, families]) =>
      families.filter(({ name }) => name.endsWith('_uncounted_total')).map(({ name }) => [probe, name]),
    );
    assert.deepEqual(
      recorded.map(({ labels, expr }) => [labels.probe, familiesIn(expr)[0]]),
      expected,
    );
  });
});
