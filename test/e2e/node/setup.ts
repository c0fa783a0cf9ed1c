/**
 * The cluster of the tests in this folder: `node --test` calls this before and after them. A cluster of
 * `npm run cluster:up` that KUBECONFIG names is taken as it is, and stays.
 */
import assert from 'node:assert/strict';
import { isThere } from '../../../scripts/cluster/node/enclosure.ts';
import { whyNoNode } from '../../../scripts/cluster/node/missing.ts';
import { removeNode, startNode } from '../../../scripts/cluster/node/node.ts';
import { kubeconfigFile } from '../../../scripts/cluster/node/place.ts';
import { importApp } from '../../support/app.ts';
import { eventually } from '../../support/eventually.ts';
import { heldByCluster, tracesOf } from '../../support/traces.ts';

const say = (line: string) => void process.stderr.write(`${line}\n`);
const isOurs = process.env.KUBECONFIG !== kubeconfigFile;

export async function globalSetup(): Promise<void> {
  const reason = whyNoNode();
  if (reason !== undefined) return say(`skipped: ${reason}`);
  if (!isOurs) return importApp();
  const wasThere = isThere();
  try {
    await startNode();
    await importApp();
  } catch (error) {
    if (!wasThere) await removeNode();
    throw error;
  }
}

export async function globalTeardown(): Promise<void> {
  if (whyNoNode() !== undefined || !isOurs) return;
  const held = heldByCluster();
  await removeNode();
  try {
    await eventually(() => assert.deepEqual(tracesOf(held), []));
  } catch (error) {
    // node --test does not tell it.
    say(`the cluster has left something behind: ${(error as Error).message}`);
    throw error;
  }
  say(
    `the cluster has left nothing behind, and none of the ${held.length} eBPF objects that it had at the end`,
  );
}
