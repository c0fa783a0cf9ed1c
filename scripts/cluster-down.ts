/** `npm run cluster:down`: ends the cluster of `npm run cluster:up`, or what there is of one, and leaves nothing of it. */
import { isThere } from './cluster/node/enclosure.ts';
import { removeNode } from './cluster/node/node.ts';
import { step } from './progress.ts';

const wasThere = isThere();
try {
  if (wasThere) await step('cluster', removeNode, { done: 'gone' });
  else {
    await removeNode();
    process.stdout.write('cluster: there is none\n');
  }
} catch (error) {
  process.stderr.write(`cluster:down: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
