import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { V1EndpointSlice } from '@kubernetes/client-node';
import { wantedCrds } from '../../../../webhook/cli/check/crds.ts';
import { chooseRelease } from '../../../../webhook/cli/check/release.ts';
import { judgeEndpoints } from '../../../../webhook/cli/check/service.ts';
import { parseConfig } from '../../../../webhook/config-file.ts';
import type { Raw } from '../../fixtures.ts';

const configuration = (namespace: string, name = 'pods.bpf.sh'): Raw => ({
  metadata: { creationTimestamp: '2026-01-02T03:04:05Z' },
  webhooks: [{ name, clientConfig: { service: { namespace, name: 'bpf-sidecar' }, caBundle: 'QQ==' } }],
});

test('the release is that of the webhook for pods', () => {
  assert.deepEqual(chooseRelease([configuration('a', 'other.bpf.sh'), configuration('b')], {}), {
    name: 'bpf-sidecar',
    namespace: 'b',
    port: 443,
    failurePolicy: 'Fail',
    namespaceSelector: {},
    installed: new Date('2026-01-02T03:04:05Z'),
    bundles: new Map([['pods.bpf.sh', 'QQ==']]),
  });
});

test('of several releases one has to be chosen', () => {
  const found = [configuration('b'), configuration('a')];
  assert.deepEqual(chooseRelease(found, {}), {
    level: 'FAILED',
    text: 'there are 2 releases, a/bpf-sidecar, b/bpf-sidecar; choose one with --namespace or --release',
  });
  assert.equal((chooseRelease(found, { namespace: 'a' }) as { namespace?: string }).namespace, 'a');
  assert.match(
    (chooseRelease(found, { namespace: 'c' }) as { text: string }).text,
    /^there is no MutatingWebhookConfiguration in namespace c with/,
  );
});

test('endpoints are counted once, in whichever slices they are', () => {
  const slice = (...endpoints: [uid: string, ready?: boolean][]): V1EndpointSlice => ({
    addressType: 'IPv4',
    endpoints: endpoints.map(([uid, ready]) => ({
      addresses: ['10.0.0.1'],
      targetRef: { uid },
      conditions: ready === undefined ? {} : { ready },
    })),
  });
  const judge = (...slices: V1EndpointSlice[]) => judgeEndpoints('Service', slices);
  assert.deepEqual(judge(slice(['a', true], ['b']), slice(['a', true])), {
    level: 'ok',
    text: 'Service: 2 of 2 endpoints are ready',
  });
  assert.equal(judge(slice(['a', true], ['b', false])).level, 'warn');
  assert.equal(judge(slice(['b', false])).level, 'FAILED');
  assert.equal(judge().level, 'FAILED');
});

test('the CRDs that are wanted are those of the configuration', () => {
  const names = (monitor: string, ...namespaces: string[]) =>
    wantedCrds(
      parseConfig(
        JSON.stringify({
          sidecar: { image: 'a' },
          certificate: { directory: '/tls' },
          monitors: { kind: monitor },
          programs: { allowedNamespaces: namespaces },
        }),
        'config',
      ),
    ).map(({ name, version }) => `${name}/${version}`);
  assert.deepEqual(names('none'), []);
  assert.deepEqual(names('PodMonitor'), ['podmonitors.monitoring.coreos.com/v1']);
  assert.deepEqual(names('ServiceMonitor', '*'), [
    'bpfs.bpf.sh/v1alpha1',
    'servicemonitors.monitoring.coreos.com/v1',
  ]);
});
