import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import type { Answer } from '../../scripts/cluster/call.ts';
import { kubernetesTool, noTools } from '../../scripts/cluster/tools.ts';
import { find, type Rendered, render } from '../charts/chart.ts';
import { testCluster } from '../support/cluster.ts';
import { eventually } from '../support/eventually.ts';
import { run as bpfSidecar } from '../webhook/cli/executable.ts';
import { askingPod, podNames, type Raw, readPod } from '../webhook/fixtures.ts';

const image = 'example.com/bpf-sidecar:test';
const cluster = await testCluster();

/** What may not go by the name, by what is said of it. */
const fakes: readonly (readonly [string, (pod: Raw, sidecar: Raw) => void, RegExp])[] = [
  [
    'another image',
    (_, sidecar) => Object.assign(sidecar, { image: 'evil:1' }),
    /must have the image example\.com\/bpf-sidecar:test,/,
  ],
  [
    'another tag',
    (_, sidecar) => Object.assign(sidecar, { image: 'example.com/bpf-sidecar:old' }),
    /must have the image/,
  ],
  [
    'no security context',
    (_, sidecar) => void delete sidecar.securityContext,
    /must have the security context/,
  ],
  [
    'a capability more',
    (_, { securityContext }) => {
      securityContext.capabilities = { ...securityContext.capabilities, add: ['SYS_MODULE'] };
    },
    /must have the security context/,
  ],
  [
    'SELinux options',
    (_, { securityContext }) => {
      securityContext.seLinuxOptions = { type: 'spc_t' };
    },
    /must have the security context/,
  ],
  [
    'a writable root file system',
    (_, { securityContext }) => {
      securityContext.readOnlyRootFilesystem = false;
    },
    /must have the security context/,
  ],
  ['a command', (_, sidecar) => Object.assign(sidecar, { command: ['sh'] }), /must run what its image runs/],
  [
    'other arguments',
    (_, sidecar) => Object.assign(sidecar, { args: ['run', '--inspect'] }),
    /must run what its image runs/,
  ],
  [
    'a command after its start',
    (_, sidecar) => Object.assign(sidecar, { lifecycle: { postStart: { exec: { command: ['sh'] } } } }),
    /must run what its image runs/,
  ],
  [
    'a command as a probe',
    (_, sidecar) => Object.assign(sidecar, { readinessProbe: { exec: { command: ['sh'] } } }),
    /must run what its image runs/,
  ],
  [
    'options of Node',
    (_, { env }) => env.push({ name: 'NODE_OPTIONS', value: '--require=/x' }),
    /must have no environment that changes what it runs/,
  ],
  [
    'a library to load first',
    (_, { env }) => env.push({ name: 'LD_PRELOAD', value: '/x.so' }),
    /must have no environment that changes what it runs/,
  ],
  [
    'character sets to load',
    (_, { env }) => env.push({ name: 'GCONV_PATH', value: '/x' }),
    /must have no environment that changes what it runs/,
  ],
  [
    'the whole node',
    (_, { env }) => env.push({ name: 'ALLOW_NODE_WIDE', value: 'true' }),
    /must have no environment that changes what it runs/,
  ],
  [
    'an environment from elsewhere',
    (_, sidecar) => Object.assign(sidecar, { envFrom: [{ configMapRef: { name: 'x' } }] }),
    /must have no environment that changes what it runs/,
  ],
  [
    'files over its own',
    ({ spec }, { volumeMounts }) => {
      spec.volumes.push({ name: 'mine', emptyDir: {} });
      volumeMounts.push({ name: 'mine', mountPath: '/usr/lib' });
    },
    /must have no mounts but those that the webhook gives it/,
  ],
  [
    'files over its own by a detour',
    ({ spec }, { volumeMounts }) => {
      spec.volumes.push({ name: 'mine', emptyDir: {} });
      volumeMounts.push({ name: 'mine', mountPath: '/var/run/secrets/../../../usr/lib' });
    },
    /must have no mounts but those that the webhook gives it/,
  ],
  ['a program where none is allowed', addProgram, /must have no mounts but those that the webhook gives it/],
];

function addProgram({ spec }: Raw, { volumeMounts }: Raw): void {
  spec.volumes.push({ name: 'mine', configMap: { name: 'mine' } });
  volumeMounts.push({ name: 'mine', mountPath: '/etc/bpf-sidecar/programs/mine' });
}

/** What other webhooks do to the containers of any pod. */
function addOfOthers({ spec }: Raw, { env, volumeMounts }: Raw): void {
  env.push({ name: 'AWS_ROLE_ARN', value: 'arn:aws:iam::1:role/x' });
  spec.volumes.push({ name: 'aws-token', emptyDir: {} });
  volumeMounts.push({ name: 'aws-token', mountPath: '/var/run/secrets/eks.amazonaws.com/serviceaccount' });
}

describe('the policies of the chart', { skip: noTools }, async () => {
  const privileged = await install('privileged', {});
  const withPrograms = await install('capabilities', { programs: true });
  const attachOnly = await install('attach-only', {});
  const places = [privileged, withPrograms, attachOnly];

  test('refuse whatever else goes by the name of the sidecar', async () => {
    for (const place of places) {
      const injected = await place.inject(askingPod());
      for (const [what, change, problem] of fakes) {
        if (place === withPrograms && change === addProgram) continue;
        const pod = structuredClone(injected);
        change(pod, pod.spec.initContainers[0]);
        await place.refuses(pod, problem, `${what} with ${place.privilege}`);
      }
    }
  });

  test('refuse a container of the application that has the name', async () => {
    const pod = { ...askingPod(), spec: { containers: [{ name: 'bpf-sidecar', image }] } };
    for (const place of places)
      await place.refuses(pod, /the container name bpf-sidecar is that of the sidecar/);
  });

  test('refuse a sidecar that keeps what the administrator wants to be given up', async () => {
    const pod = await attachOnly.inject(askingPod());
    const [sidecar] = pod.spec.initContainers;
    sidecar.env = sidecar.env.filter(({ name }: Raw) => name !== 'ATTACH_ONLY');
    await attachOnly.refuses(pod, /must have ATTACH_ONLY=true in its environment/);
  });

  test('refuse the privilege of another installation', async () => {
    await privileged.refuses(
      await withPrograms.inject(askingPod()),
      /must have the security context .*\(privileged\)/,
    );
    await withPrograms.refuses(
      await privileged.inject(askingPod()),
      /must have the security context .*\(capabilities\)/,
    );
  });

  test('admit every pod as it is injected, and what other webhooks do to it', async () => {
    let sidecars = 0;
    for (const place of places)
      for (const name of podNames) {
        // Some examples have what the API server refuses with or without the sidecar, such as a class that it does not know.
        if ((await place.create(readPod(name))).status !== 201) continue;
        const pod = await place.inject(readPod(name));
        await place.admits(pod);
        const sidecar = pod.spec.initContainers?.find((container: Raw) => container.name === 'bpf-sidecar');
        if (!sidecar) continue;
        addOfOthers(pod, sidecar);
        await place.admits(pod);
        sidecars += 1;
      }
    assert.ok(sidecars >= 3 * 6, `${sidecars} pods with a sidecar`);
  });

  test("admit users' programs where they are allowed, with what they need", async () => {
    const pod = await withPrograms.inject(askingPod());
    const [sidecar] = pod.spec.initContainers;
    addProgram(pod, sidecar);
    sidecar.securityContext.capabilities.add.push('SYS_ADMIN', 'SYS_PTRACE', 'DAC_READ_SEARCH', 'NET_RAW');
    await withPrograms.admits(pod);
    await attachOnly.refuses(pod, /must have the security context/);
  });

  test('admit the image and the privilege of the release before, which its replicas still inject', async () => {
    const place = await install('privileged', {
      previous: { image: 'example.com/bpf-sidecar:old', privilege: 'capabilities' },
    });
    const old = await withPrograms.inject(askingPod());
    old.spec.initContainers[0].image = 'example.com/bpf-sidecar:old';
    await place.refuses(
      { ...old, spec: { ...old.spec, initContainers: [{ ...old.spec.initContainers[0], image: 'evil:1' }] } },
      /must have the image example\.com\/bpf-sidecar:test or example\.com\/bpf-sidecar:old/,
    );
    await place.admits(old);
    await place.admits(await place.inject(askingPod()));
  });

  test('leave alone what has no container of the name', async () => {
    await privileged.admits({ ...askingPod(), metadata: { name: 'other' } });
  });

  describe('for a pod that is there', async () => {
    const { namespace, inject } = privileged;
    const developer = ['--as', 'dana', '--as-group', 'developers'];
    const exempt = ['--as', 'ada', '--as-group', 'platform:debuggers'];
    await createGlobal('rbac.authorization.k8s.io/v1', 'clusterrolebindings', {
      metadata: { name: namespace },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: ['developers', 'platform:debuggers'].map((name) => ({
        apiGroup: 'rbac.authorization.k8s.io',
        kind: 'Group',
        name,
      })),
    });
    for (const pod of [await inject(askingPod()), { ...askingPod(), metadata: { name: 'plain' } }]) {
      const { status, body } = await cluster.call('POST', `/api/v1/namespaces/${namespace}/pods`, pod);
      assert.equal(status, 201, body.message);
    }

    const kubectl = (who: readonly string[], ...args: string[]) =>
      spawnSync(kubernetesTool('kubectl'), ['--namespace', namespace, ...who, ...args], {
        encoding: 'utf8',
        env: { ...process.env, KUBECONFIG: cluster.kubeconfig },
      });
    const refused = (who: readonly string[], problem: RegExp, ...args: string[]) =>
      eventually(async () => {
        const { status, stderr } = kubectl(who, ...args);
        assert.match(stderr, problem);
        assert.notEqual(status, 0);
      });
    /** The pod is on no node, which is found out only after admission. */
    const noNode = /does not have a host assigned/;

    test('refuse exec and attach, but for the groups of the values', async () => {
      const problem =
        /exec and attach into the container bpf-sidecar are refused, .* only platform:debuggers may/;
      await refused(developer, problem, 'exec', 'web', '-c', 'bpf-sidecar', '--', 'id');
      await refused(developer, problem, 'attach', 'web', '-c', 'bpf-sidecar');
      for (const [who, container] of [
        [developer, 'web'],
        [exempt, 'bpf-sidecar'],
      ] as const) {
        await refused(who, noNode, 'exec', 'web', '-c', container, '--', 'id');
        await refused(who, noNode, 'attach', 'web', '-c', container);
      }
    });

    test('refuse ephemeral containers in it or of its name, but for the groups of the values', async () => {
      const debug = (name: string, target: string, pod = 'web') => [
        ...['debug', pod, '--image', 'busybox', '--container', name, '--target', target],
        ...['--profile', 'general', '--attach=false'],
      ];
      const problem = /must neither have the name bpf-sidecar nor target the container of that name/;
      await refused(developer, problem, ...debug('debug', 'bpf-sidecar'));
      await refused(developer, problem, ...debug('bpf-sidecar', 'web', 'plain'));
      assert.equal(kubectl(developer, ...debug('debug-web', 'web')).status, 0);
      assert.equal(kubectl(exempt, ...debug('debug-sidecar', 'bpf-sidecar')).status, 0);
      // What is there keeps nobody from adding another one.
      assert.equal(kubectl(developer, ...debug('debug-again', 'web')).status, 0);
    });

    test('refuse another image, but for the groups of the values, and leave alone all other changes', async () => {
      const setImage = (position: string, image: string) => [
        ...['patch', 'pod', 'web', '--type', 'json'],
        ...['--patch', JSON.stringify([{ op: 'replace', path: `/spec/${position}/image`, value: image }])],
      ];
      await refused(
        developer,
        /the container bpf-sidecar must not be changed, .* only platform:debuggers may/,
        ...setImage('initContainers/0', 'evil:1'),
      );
      for (const [who, ...args] of [
        [developer, ...setImage('containers/0', 'nginx:1.28')],
        [exempt, ...setImage('initContainers/0', 'example.com/bpf-sidecar:debug')],
        // A sidecar that is not as it would be made now is still one that nobody changes, and no more.
        [developer, 'label', 'pod', 'web', 'tier=front'],
        [developer, 'annotate', 'pod', 'web', 'bpf.sh/probes=tcp', '--overwrite'],
        [developer, 'delete', 'pod', 'web', '--grace-period=0', '--force'],
      ] as const) {
        const { status, stderr } = kubectl(who as readonly string[], ...(args as string[]));
        assert.equal(status, 0, stderr);
      }
    });
  });
});

interface Place {
  namespace: string;
  privilege: string;
  /** The pod as `bpf-sidecar inject` makes it. */
  inject(pod: Raw): Promise<Raw>;
  /** As a dry run. */
  create(pod: Raw): Promise<Answer>;
  refuses(pod: Raw, problem: RegExp, what?: string): Promise<void>;
  admits(pod: Raw): Promise<void>;
}

/** The policies of the chart, installed for a namespace of its own alone, so that others can be beside them. */
async function install(
  privilege: string,
  { programs = false, previous }: { programs?: boolean; previous?: object },
): Promise<Place> {
  const namespace = await cluster.createNamespace();
  const objects = render({
    sidecar: { image: { repository: 'example.com/bpf-sidecar', tag: 'test' }, privilege },
    programs: { allowedNamespaces: programs ? [namespace] : [] },
    policies: { exemptGroups: ['platform:debuggers'], previous },
  });
  for (const part of ['create', 'change', 'enter']) {
    const policy = find(objects, 'ValidatingAdmissionPolicy', `bpf-sidecar-${part}`);
    const binding = find(objects, 'ValidatingAdmissionPolicyBinding', `bpf-sidecar-${part}`);
    const name = `${namespace}-${part}`;
    await createOf({ ...policy, metadata: { name } });
    const matchResources = {
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
    };
    await createOf({
      ...binding,
      metadata: { name },
      spec: { ...binding.spec, policyName: name, matchResources },
    });
  }

  const create = (pod: Raw) =>
    cluster.call('POST', `/api/v1/namespaces/${namespace}/pods?dryRun=All`, {
      ...pod,
      metadata: { ...pod.metadata, namespace },
    });
  return {
    namespace,
    privilege,
    create,
    async inject(pod) {
      const args = ['inject', '-f', '-', '--image', image, '--privilege', privilege];
      return parse((await bpfSidecar(args, JSON.stringify(pod))).stdout);
    },
    // The API server learns of a policy in its own time.
    refuses: (pod, problem, what) =>
      eventually(async () => {
        const { status, body } = await create(pod);
        assert.match(`${body.message ?? ''}`, problem, what);
        assert.equal(status, 422, what);
      }),
    async admits(pod) {
      const { status, body } = await create(pod);
      assert.equal(status, 201, body.message);
    },
  };
}

function createOf(object: Rendered): Promise<void> {
  return createGlobal(
    object.apiVersion,
    object.kind === 'ValidatingAdmissionPolicy'
      ? 'validatingadmissionpolicies'
      : 'validatingadmissionpolicybindings',
    object,
  );
}

/** Makes an object of the whole cluster, until the tests have ended. */
async function createGlobal(apiVersion: string, plural: string, object: Raw): Promise<void> {
  const path = `/apis/${apiVersion}/${plural}`;
  const { status, body } = await cluster.call('POST', path, object);
  assert.equal(status, 201, body.message);
  cluster.defer(() => cluster.call('DELETE', `${path}/${object.metadata.name}`));
}
