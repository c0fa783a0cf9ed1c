/** Builds what `npm run cluster` starts, unless it is there: scripts/setup.sh calls this. */
import { apiServerBinary } from './cluster/binary.ts';

try {
  await apiServerBinary((line) => process.stdout.write(`${line}\n`));
} catch (error) {
  process.stderr.write(`setup: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
