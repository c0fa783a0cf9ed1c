import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { KubeConfig } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { monitorCrds } from '../../scripts/cluster/crds.ts';
import { temporaryDirectory } from '../../scripts/cluster/directory.ts';
import { kubernetesTool, noTools } from '../../scripts/cluster/tools.ts';
import { createAuthority } from '../../webhook/certificates/authority.ts';
import { chart, type Rendered, render } from '../charts/chart.ts';
import { matrix } from '../charts/matrix.ts';
import { testCluster } from '../support/cluster.ts';
import { eventually } from '../support/eventually.ts';
import { startReplica } from '../support/replica.ts';
import type { Raw } from '../webhook/fixtures.ts';

const cluster = await testCluster();

function run(tool: 'helm' | 'kubectl', args: readonly string[], input = '') {
  return spawnSync(kubernetesTool(tool), args, {
    input,
    encoding: 'utf8',
    env: { ...process.env, KUBECONFIG: cluster.kubeconfig },
  });
}

/** Makes an object of the whole cluster, until the tests have ended; one that is there stays. */
async function create(plural: string, object: Raw): Promise<void> {
  const path = `/apis/${object.apiVersion}/${plural}`;
  const { status, body } = await cluster.call('POST', path, object);
  if (status === 409) return;
  assert.equal(status, 201, body.message);
  cluster.defer(() => cluster.call('DELETE', `${path}/${object.metadata.name}`));
}

describe('the chart at a real API server', { skip: noTools }, async () => {
  const crd = parse(readFileSync(join(chart, 'crds/bpf.yaml'), 'utf8'));
  for (const definition of [crd, ...(await monitorCrds())])
    await create('customresourcedefinitions', definition);
  const namespace = await cluster.createNamespace();

  test('has every object of every rendering accepted, as it is', async () => {
    // Of the service accounts nothing is left by a dry run, and a pod must have one.
    const account = { metadata: { name: 'bpf-sidecar-test', namespace } };
    await cluster.call('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, account);
    for (const [name, values] of Object.entries(matrix)) {
      // What is cert-manager's is for its own CRDs to judge; and it is not tried in namespaces that are not there.
      const objects = render(values)
        .filter(
          ({ apiVersion, kind, metadata }) =>
            !apiVersion.startsWith('cert-manager.io/') &&
            !(kind === 'ServiceAccount' && metadata.name === 'bpf-sidecar-test'),
        )
        .map(({ metadata, ...object }) => ({
          ...object,
          metadata: { ...metadata, ...(metadata.namespace && { namespace }) },
        }));
      const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
      const { status, stdout, stderr } = run(
        'kubectl',
        ['create', '--dry-run=server', '--validate=strict', '-f', '-'],
        list,
      );
      assert.equal(status, 0, `${name}: ${stderr}`);
      assert.equal(stderr, '', name);
      assert.equal(stdout.match(/ created \(server dry run\)$/gm)?.length, objects.length, name);
    }
  });

  describe('the resource BPF', () => {
    const path = `/apis/bpf.sh/v1alpha1/namespaces/${namespace}/bpfs`;
    const from = { configMapKeyRef: { name: 'packets', key: 'packets.bpf.o' } };
    const bpf = (name: string, spec: object) => ({
      apiVersion: 'bpf.sh/v1alpha1',
      kind: 'BPF',
      metadata: { name },
      spec,
    });

    test('is taken as kube-bpf had it, and as the examples have it', async () => {
      for (const file of ['packets', 'writes']) {
        const example = parse(readFileSync(join(chart, `../../examples/kube-bpf/${file}.yaml`), 'utf8'));
        const { status, body } = await cluster.call('POST', `${path}?fieldValidation=Strict`, example);
        assert.equal(status, 201, body.message);
        assert.deepEqual(body.spec, example.spec);
      }
    });

    test('keeps a metric spec that is in it, whatever that has', async () => {
      const metrics = {
        value: { prefix: '', metrics: { counters: [{ name: 'a_total', help: 'A.', 'x-more': 1 }] } },
      };
      const { status, body } = await cluster.call(
        'POST',
        path,
        bpf('inline', { program: { valueFrom: from }, metrics }),
      );
      assert.equal(status, 201, body.message);
      assert.deepEqual(body.spec.metrics, metrics);
    });

    test('is refused with a sentence when it cannot be meant', async () => {
      const secretKeyRef = from.configMapKeyRef;
      for (const [name, spec, problem] of [
        ['a', {}, /spec\.program: Required value/],
        [
          'a',
          { program: { valueFrom: {} } },
          /spec\.program\.valueFrom: .*give one of configMapKeyRef and secretKeyRef/,
        ],
        [
          'a',
          { program: { valueFrom: { ...from, secretKeyRef } } },
          /give one of configMapKeyRef and secretKeyRef/,
        ],
        [
          'a',
          { program: { valueFrom: from }, metrics: {} },
          /spec\.metrics: .*give one of value and valueFrom/,
        ],
        [
          'a',
          { program: { valueFrom: { configMapKeyRef: { name: 'A', key: 'k' } } } },
          /configMapKeyRef\.name: .*should match/,
        ],
        [
          'a',
          { program: { valueFrom: { configMapKeyRef: { name: 'a', key: '../k' } } } },
          /configMapKeyRef\.key: .*should match/,
        ],
        ['tcp', { program: { valueFrom: from } }, /the name is that of a built-in probe; choose another one/],
        ['a'.repeat(64), { program: { valueFrom: from } }, /the name must have 63 characters at most/],
      ] as const) {
        const { status, body } = await cluster.call('POST', path, bpf(name, spec));
        assert.match(body.message, problem);
        assert.equal(status, 422);
      }
    });

    test('has a status apart from the rest, and columns that tell it', async () => {
      const condition = {
        lastTransitionTime: '2026-01-02T03:04:05Z',
        reason: 'Found',
        message: 'all is there',
      };
      const { body: resource } = await cluster.call('GET', `${path}/writes`);
      const status = {
        observedGeneration: 1,
        pods: 7,
        conditions: [
          { type: 'Accepted', status: 'True', ...condition },
          { type: 'Available', status: 'False', ...condition },
          { type: 'Loaded', status: 'Unknown', ...condition },
        ],
      };
      const { body } = await cluster.call('PUT', `${path}/writes/status`, { ...resource, spec: {}, status });
      assert.deepEqual([body.spec, body.status], [resource.spec, status]);
      const { stdout } = run('kubectl', ['--namespace', namespace, 'get', 'bpf', 'writes']);
      assert.match(
        stdout,
        /^NAME +PODS +ACCEPTED +AVAILABLE +LOADED +AGE\nwrites +7 +True +False +Unknown +\S+\n$/,
      );
    });
  });

  test('lets the API server call the webhook only for what has an annotation of ours', {
    skip: cluster.cannotCallUs,
  }, async () => {
    const called = await recordCalls(render());
    const served = await cluster.createNamespace();
    const declined = await cluster.createNamespace({ 'bpf.sh/injection': 'disabled' });
    const kubeSystem = 'kube-system';
    await cluster.call('POST', `/api/v1/namespaces/${kubeSystem}/serviceaccounts`, {
      metadata: { name: 'default' },
    });

    const calls = async (place: string, plural: string, object: object) => {
      called.length = 0;
      const group = plural === 'pods' ? 'api/v1' : plural.endsWith('jobs') ? 'apis/batch/v1' : 'apis/apps/v1';
      const { status, body } = await cluster.call(
        'POST',
        `/${group}/namespaces/${place}/${plural}?dryRun=All`,
        object,
      );
      assert.equal(status, 201, body.message);
      return [...called];
    };
    const pod = (annotations?: object): Raw => ({
      metadata: { name: 'web', ...(annotations && { annotations }) },
      spec: { containers: [{ name: 'web', image: 'nginx' }] },
    });
    const labels = { app: 'web' };
    const workload = (annotations?: object, own?: object): Raw => ({
      metadata: { name: 'web', ...own },
      spec: {
        selector: { matchLabels: labels },
        template: { ...pod(), metadata: { labels, ...(annotations && { annotations }) } },
      },
    });
    const job = (annotations?: object): Raw => {
      const { spec } = pod();
      const template = {
        metadata: { ...(annotations && { annotations }) },
        spec: { ...spec, restartPolicy: 'Never' },
      };
      return { metadata: { name: 'web' }, spec: { template } };
    };
    const cronJob = (annotations?: object): Raw => ({
      metadata: { name: 'web' },
      spec: { schedule: '0 * * * *', jobTemplate: { spec: job(annotations).spec } },
    });
    const asks = { 'bpf.sh/inject': 'true' };
    const slip = { 'bpf.sh/injekt': 'true' };

    await eventually(async () => assert.deepEqual(await calls(served, 'pods', pod(asks)), ['/mutate Pod']));
    assert.deepEqual(await calls(served, 'pods', pod(slip)), ['/mutate Pod']);
    assert.deepEqual(await calls(served, 'pods', pod()), []);
    assert.deepEqual(await calls(served, 'pods', pod({ 'example.com/inject': 'true' })), []);
    assert.deepEqual(
      await calls(served, 'pods', pod({ 'bpf.sh/inject': 'false', 'bpf.sh/probes': 'tcp' })),
      [],
    );
    assert.deepEqual(await calls(declined, 'pods', pod(asks)), []);
    assert.deepEqual(await calls(kubeSystem, 'pods', pod(asks)), []);

    await eventually(async () =>
      assert.deepEqual(await calls(served, 'deployments', workload(slip)), ['/templates Deployment']),
    );
    assert.deepEqual(await calls(served, 'deployments', workload(undefined, { annotations: asks })), [
      '/templates Deployment',
    ]);
    assert.deepEqual(await calls(served, 'deployments', workload()), []);
    assert.deepEqual(await calls(declined, 'deployments', workload(slip)), []);
    const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'u', controller: true };
    assert.deepEqual(await calls(served, 'replicasets', workload(slip)), ['/templates ReplicaSet']);
    assert.deepEqual(await calls(served, 'replicasets', workload(slip, { ownerReferences: [owner] })), []);
    assert.deepEqual(await calls(served, 'statefulsets', workload(slip)), ['/templates StatefulSet']);
    assert.deepEqual(await calls(served, 'daemonsets', workload(slip)), ['/templates DaemonSet']);
    assert.deepEqual(await calls(served, 'jobs', job(slip)), ['/templates Job']);
    assert.deepEqual(await calls(served, 'jobs', job()), []);
    assert.deepEqual(await calls(served, 'cronjobs', cronJob(slip)), ['/templates CronJob']);
    assert.deepEqual(await calls(served, 'cronjobs', cronJob()), []);
  });

  describe('installed', async () => {
    const place = await cluster.createNamespace();
    const helm = (command: string, ...args: string[]) => {
      const { status, stderr } = run('helm', [command, 'bpf-sidecar', ...args, '--namespace', place]);
      assert.equal(status, 0, stderr);
    };
    const get = (path: string) => cluster.call('GET', path).then(({ body }) => body);
    const allowed = `programs.allowedNamespaces={${namespace}}`;
    helm('install', chart, '--set', allowed);
    cluster.defer(async () => helm('uninstall'));

    test('gives the webhook the rights that it needs', async () => {
      const directory = temporaryDirectory('bpf-sidecar-chart-');
      cluster.defer(directory.remove);
      const file = (name: string) => join(directory.path, name);
      const { data } = await get(`/api/v1/namespaces/${place}/configmaps/bpf-sidecar`);
      writeFileSync(file('config.yaml'), data['config.yaml']);
      const account = `/api/v1/namespaces/${place}/serviceaccounts/bpf-sidecar/token`;
      const { body } = await cluster.call('POST', account, { spec: {} });
      writeFileSync(file('kubeconfig'), kubeconfigWith(body.status.token), { mode: 0o600 });

      const { lines } = await startReplica(cluster, {
        config: file('config.yaml'),
        kubeconfig: file('kubeconfig'),
      });

      for (const kind of ['mutating', 'validating']) {
        const { webhooks } = await get(
          `/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations/bpf-sidecar`,
        );
        for (const { name, clientConfig } of webhooks)
          assert.match(Buffer.from(clientConfig.caBundle, 'base64').toString(), /BEGIN CERTIFICATE/, name);
      }
      assert.deepEqual(
        lines.filter((line) => /forbidden/.test(line)),
        [],
      );
    });

    test('does without the webhook, or not, as its failure policy says, and never needs it for itself', async () => {
      const served = await cluster.createNamespace();
      const creating = async (where: string, annotations?: object) => {
        const pod = {
          metadata: { name: 'web', annotations },
          spec: { containers: [{ name: 'web', image: 'nginx' }] },
        };
        return (await cluster.call('POST', `/api/v1/namespaces/${where}/pods?dryRun=All`, pod)).status;
      };
      const unasked = () => {
        const { stdout } = run('kubectl', ['get', '--raw', '/metrics']);
        const line = /^apiserver_admission_webhook_fail_open_count\{name="pods\.bpf\.sh".*\} (\d+)$/m.exec(
          stdout,
        );
        return Number(line?.[1] ?? 0);
      };
      const asks = { 'bpf.sh/inject': 'true' };
      const [ignored, refused] = [201, 500];
      // Nothing is behind the Service here.
      for (const [policy, outcome] of [
        ['Ignore', ignored],
        ['Fail', refused],
      ] as const) {
        helm(
          'upgrade',
          chart,
          '--set',
          `admission.failurePolicy=${policy},admission.timeoutSeconds=1`,
          '--set',
          allowed,
        );
        const before = unasked();
        await eventually(async () => {
          assert.equal(await creating(served, asks), outcome);
          assert.equal(unasked() > before, policy === 'Ignore');
        });
        assert.equal(await creating(served), 201);
        assert.equal(await creating(place, asks), 201);
        assert.equal(await creating('kube-system', asks), 201);
      }
    });

    test('keeps letting the replicas that an upgrade replaces inject what they injected', async () => {
      const images = async () => {
        const path = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/bpf-sidecar-create';
        const { spec } = await get(path);
        return /c\.image in \[(.*?)\]/.exec(spec.validations[1].expression)![1];
      };
      helm('upgrade', chart, '--set', 'sidecar.image.tag=one', '--set', allowed);
      helm('upgrade', chart, '--set', 'sidecar.image.tag=one', '--set', allowed);
      assert.equal(await images(), "'bpf-sidecar:one'");
      helm('upgrade', chart, '--set', 'sidecar.image.tag=two', '--set', allowed);
      assert.equal(await images(), "'bpf-sidecar:two', 'bpf-sidecar:one'");
      helm('upgrade', chart, '--set', 'sidecar.image.tag=two', '--set', allowed);
      assert.equal(await images(), "'bpf-sidecar:two'");
    });
  });
});

/** The kubeconfig of the tests with the token of somebody else. */
function kubeconfigWith(token: string): string {
  const config = new KubeConfig();
  config.loadFromFile(cluster.kubeconfig);
  const { user } = config.getContextObject(config.getCurrentContext())!;
  return JSON.stringify({ ...JSON.parse(config.exportConfig()), users: [{ name: user, user: { token } }] });
}

/** Registers the webhooks of a rendering, which are then here, and answer that they have nothing to say. */
async function recordCalls(objects: readonly Rendered[]): Promise<string[]> {
  const calls: string[] = [];
  const authority = await createAuthority();
  const server = createServer(await authority.issue(['localhost']), async (request, response) => {
    // biome-ignore lint/suspicious/noExplicitAny: a review
    const review = (await json(request)) as any;
    calls.push(`${request.url?.split('?')[0]} ${review.request.kind.kind}`);
    const answer = { ...review, request: undefined, response: { uid: review.request.uid, allowed: true } };
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cluster.defer(async () => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  for (const { apiVersion, kind, webhooks } of objects) {
    if (!kind.endsWith('WebhookConfiguration')) continue;
    await create(`${kind.toLowerCase()}s`, {
      apiVersion,
      kind,
      metadata: { name: 'bpf-sidecar-recorded' },
      webhooks: webhooks.map(({ clientConfig, ...webhook }: Raw) => ({
        ...webhook,
        failurePolicy: 'Fail',
        clientConfig: {
          url: `https://localhost:${port}${clientConfig.service.path}`,
          caBundle: Buffer.from(authority.certificate).toString('base64'),
        },
      })),
    });
  }
  return calls;
}
