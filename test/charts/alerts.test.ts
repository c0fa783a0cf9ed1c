import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { noTools } from '../../scripts/cluster/tools.ts';
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

const well = {
  [`up{${target}}`]: '1x120',
  [`bpf_webhook_admissions_total{${target},result="injected",reason=""}`]: '0+10x120',
  [`bpf_webhook_admissions_total{${target},result="error",reason="not-json"}`]: '4x120',
  'apiserver_admission_webhook_fail_open_count{name="pods.bpf.sh"}': '7x120',
  [`bpf_webhook_certificate_not_after_timestamp_seconds{${target},certificate="leaf"}`]: `${8 * day}x120`,
  [`bpf_webhook_certificate_not_after_timestamp_seconds{${target},certificate="authority"}`]: `${90 * day}x120`,
  'up{namespace="shop",pod="a",endpoint="bpf-metrics"}': '1x120',
  'bpf_sidecar_program_attached{namespace="shop",pod="a",probe="tcp",program="tcp_event"}': '1x120',
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
};

describe('the alerts tell of', { skip: noTools ?? promtoolMissing }, () => {
  for (const [name, { values, series, alerts }] of Object.entries(stories)) {
    test(name, () => {
      const rules = find(render({ ...values, prometheusRule: { enabled: true } }), 'PrometheusRule').spec;
      writeFileSync(join(directory, 'rules.json'), JSON.stringify(rules));
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
