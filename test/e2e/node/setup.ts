/**
 * The cluster of the tests in this folder: `node --test` calls this before and after them. A cluster of
 * `npm run cluster:up` that KUBECONFIG names is taken as it is, and stays.
 */
import { whyNoNode } from '../../../scripts/cluster/node/missing.ts';
import { removeNode, startNode } from '../../../scripts/cluster/node/node.ts';
import { kubeconfigFile } from '../../../scripts/cluster/node/place.ts';
import { importApp } from '../../support/app.ts';

const say = (line: string) => void process.stderr.write(`${line}\n`);
const isOurs = process.env.KUBECONFIG !== kubeconfigFile;

export async function globalSetup(): Promise<void> {
  const reason = whyNoNode();
  if (reason !== undefined) return say(`skipped: ${reason}`);
  if (isOurs) await startNode(say);
  await importApp();
}

export async function globalTeardown(): Promise<void> {
  if (whyNoNode() === undefined && isOurs) await removeNode();
}
