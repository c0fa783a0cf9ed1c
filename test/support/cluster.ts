import { randomBytes } from 'node:crypto';
import { after } from 'node:test';
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { clusterName } from '../../scripts/cluster/api-server.ts';
import { type Answer, call } from '../../scripts/cluster/call.ts';
import { startCluster } from '../../scripts/cluster/cluster.ts';
import { createNamespace } from '../../scripts/cluster/namespace.ts';

export interface TestCluster {
  /** Path of an administrator's kubeconfig. */
  kubeconfig: string;
  config: KubeConfig;
  /** Why the API server cannot call a webhook of this test, else false: the `skip` of tests that need it to. */
  cannotCallUs: string | false;
  /** Has something undone after the tests; what was deferred last is undone first. */
  defer(undo: () => Promise<unknown>): void;
  /** Makes a namespace in which pods are admitted, until the tests have ended; resolves to its name. */
  createNamespace(labels?: Record<string, string>): Promise<string>;
  /** A request without a client that keeps something of the answer for itself, such as its warnings. */
  call(method: string, path: string, body?: object): Promise<Answer>;
}

/**
 * The cluster of this test file: that of the environment's KUBECONFIG, or else one of its own that is there until the
 * file's tests have ended. To be called once, outside of tests.
 */
export async function testCluster(): Promise<TestCluster> {
  const undos: (() => Promise<unknown>)[] = [];
  const defer = (undo: () => Promise<unknown>) => void undos.push(undo);
  after(async () => {
    for (const undo of undos.toReversed()) await undo();
  });

  let kubeconfig = process.env.KUBECONFIG;
  if (!kubeconfig) {
    const own = await startCluster();
    defer(own.stop);
    kubeconfig = own.kubeconfig;
  }
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const { name, server } = config.getCurrentCluster()!;

  return {
    kubeconfig,
    config,
    cannotCallUs:
      name !== clusterName &&
      `the API server of ${server} may be on another machine, which it could not call`,
    defer,
    async createNamespace(labels) {
      const name = `test-${randomBytes(4).toString('hex')}`;
      await createNamespace(config, name, labels);
      defer(() => config.makeApiClient(CoreV1Api).deleteNamespace({ name }));
      return name;
    },
    call: (method, path, body) => call(config, method, path, body),
  };
}
