/**
 * Builds what `npm run cluster` starts, unless it is there, or with the word "node" what `npm run cluster:up` does:
 * scripts/setup.sh calls this.
 */
import { kubernetesBinary, kubernetesPrograms } from './cluster/binary.ts';
import { kubernetesTool, noTools } from './cluster/tools.ts';

const wholeNode = process.argv[2] === 'node';

try {
  for (const program of wholeNode ? kubernetesPrograms : (['kube-apiserver'] as const))
    await kubernetesBinary(program);
  if (wholeNode && noTools === undefined) kubernetesTool('helm');
} catch (error) {
  process.stderr.write(`setup: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
