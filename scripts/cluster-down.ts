/** `npm run cluster:down`: ends the cluster of `npm run cluster:up`, or what there is of one, and leaves nothing of it. */
import { isThere } from './cluster/node/enclosure.ts';
import { removeNode } from './cluster/node/node.ts';
import { seconds } from './cluster/say.ts';

const began = performance.now();
const wasThere = isThere();
try {
  await removeNode();
  process.stdout.write(wasThere ? `cluster: gone in ${seconds(began)}\n` : 'cluster: there is none\n');
} catch (error) {
  process.stderr.write(`cluster:down: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
