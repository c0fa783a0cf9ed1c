import { execFile } from 'node:child_process';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { startCluster } from '../../scripts/cluster/cluster.ts';
import { createMonitorCrds } from '../../scripts/cluster/crds.ts';
import { kubernetesTool, noTools } from '../../scripts/cluster/tools.ts';
import { documents } from '../docs/documents.ts';
import { follow, hasStepsAt } from '../docs/session.ts';
import { environmentOf } from '../support/tools.ts';

const skip =
  noTools ||
  (process.env.KUBECONFIG && 'documents install and remove the chart: they want an API server of their own');

/** Each has an API server of its own, for what one makes would be in the way of the next. */
describe('the shell blocks for a cluster do and print what the documents say', {
  skip: skip || false,
}, () => {
  for (const document of documents.filter((document) => hasStepsAt(document, 'cluster')))
    test(document, async (t) => {
      const cluster = await startCluster();
      t.after(cluster.stop);
      await createMonitorCrds(cluster.config);
      const env = environmentOf(cluster.kubeconfig);
      const established = ['wait', '--for=condition=Established', 'crd', '--all'];
      await promisify(execFile)(kubernetesTool('kubectl'), established, { env: { ...process.env, ...env } });
      await follow(document, 'cluster', env);
    });
});
