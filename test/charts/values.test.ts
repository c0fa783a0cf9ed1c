import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { noTools } from '../../scripts/cluster/tools.ts';
import { chart, helm } from './chart.ts';

/** Values that nobody can have meant, and what is said of them. */
const refused: readonly (readonly [object, RegExp])[] = [
  [{ replica: 3 }, /additional properties 'replica' not allowed/],
  [{ sidecar: { imagePullPolicy: 'Always' } }, /\/sidecar.*'imagePullPolicy' not allowed/s],
  [{ admission: { failurepolicy: 'Fail' } }, /\/admission.*'failurepolicy' not allowed/s],
  [{ monitors: { labels: { team: 7 } } }, /\/monitors\/labels\/team.*want string/s],
  [{ replicas: 0 }, /\/replicas.*minimum/s],
  [{ replicas: '2' }, /\/replicas.*want integer/s],
  [{ image: { digest: 'sha256:abc' } }, /\/image\/digest.*does not match pattern/s],
  [
    { image: { repository: 'registry.example/webhook@sha256:00' } },
    /\/image\/repository.*does not match pattern/s,
  ],
  [{ image: { pullPolicy: 'Sometimes' } }, /\/image\/pullPolicy.*'Always', 'IfNotPresent', 'Never'/s],
  [{ sidecar: { privilege: 'none' } }, /\/sidecar\/privilege.*'privileged', 'capabilities', 'attach-only'/s],
  [{ sidecar: { resources: { limits: { memory: '128 MB' } } } }, /\/limits\/memory.*does not match pattern/s],
  [{ admission: { failurePolicy: 'ignore' } }, /\/admission\/failurePolicy.*'Ignore', 'Fail'/s],
  [{ admission: { timeoutSeconds: 60 } }, /\/admission\/timeoutSeconds.*maximum/s],
  [{ admission: { optIn: 'yes' } }, /\/admission\/optIn.*want boolean/s],
  [{ policies: { exemptGroups: ["a' in ['a"] } }, /\/policies\/exemptGroups\/0.*does not match pattern/s],
  [{ policies: { previous: { image: "x'" } } }, /\/policies\/previous\/image.*does not match pattern/s],
  [
    { programs: { allowedNamespaces: ['Shop'] } },
    /\/programs\/allowedNamespaces\/0.*does not match pattern/s,
  ],
  [{ programs: { allowedNamespaces: ['shop', 'shop'] } }, /\/programs\/allowedNamespaces.*equal/s],
  [{ monitors: { kind: 'servicemonitor' } }, /'ServiceMonitor', 'PodMonitor', 'annotations', 'none'/],
  [{ monitors: { scope: 'cluster' } }, /'pod', 'namespace'/],
  [{ monitors: { interval: '30' } }, /\/monitors\/interval.*does not match pattern/s],
  [{ certificate: { source: 'helm' } }, /'self', 'cert-manager', 'secret'/],
  [
    { certificate: { source: 'secret', caBundle: '-----BEGIN CERTIFICATE-----' } },
    /certificate\.secretName must name the Secret/,
  ],
  [
    { certificate: { source: 'secret', secretName: 'tls' } },
    /certificate\.caBundle must be the certificate of the CA/,
  ],
  [{ prometheusRule: { runbooks: '' } }, /\/prometheusRule\/runbooks.*minLength/s],
  [{ dashboards: { enable: true } }, /\/dashboards.*'enable' not allowed/s],
  [{ dashboards: { namespace: 'Grafana' } }, /\/dashboards\/namespace.*does not match pattern/s],
  [
    { dashboards: { labels: { grafana_dashboard: 1 } } },
    /\/dashboards\/labels\/grafana_dashboard.*want string/s,
  ],
  [{ networkPolicy: { apiServerPorts: [] } }, /\/networkPolicy\/apiServerPorts.*minItems/s],
];

describe('the chart refuses', { skip: noTools }, () => {
  for (const [values, problem] of refused) {
    test(JSON.stringify(values), () => {
      const { ok, stderr } = helm(['template', 'bpf-sidecar', chart], values);
      assert.equal(ok, false);
      assert.match(stderr, problem);
    });
  }
});
