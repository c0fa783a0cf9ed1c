import { after, afterEach, beforeEach, describe, test } from 'node:test';
import { kubeconfigFile } from '../../../scripts/cluster/node/place.ts';
import { documents } from '../../docs/documents.ts';
import { follow, hasStepsAt } from '../../docs/session.ts';
import { install, kubectl, skipped } from '../../support/node.ts';
import { environmentOf } from '../../support/tools.ts';

describe('on a node the shell blocks do and print what the documents say', skipped, () => {
  // What documents set is gone again.
  beforeEach(() => install());
  after(() => install());
  afterEach(async () => {
    await kubectl('delete', '--namespace', 'default', 'pods,bpfs', '--all');
    // That one is the cluster's own.
    const notTheCa = '--field-selector=metadata.name!=kube-root-ca.crt';
    await kubectl('delete', '--namespace', 'default', 'configmaps', notTheCa);
  });

  for (const document of documents.filter((document) => hasStepsAt(document, 'node')))
    test(document, () => follow(document, 'node', environmentOf(kubeconfigFile)));
});
