/**
 * Runs cases of one target in this process: TARGET SEED FIRST COUNT FILE. Each is its own, by SEED and its number, which is
 * in FILE while it runs, for the case that it ends the process. Prints a fault and ends with 1 at the first.
 */
import { openSync, writeSync } from 'node:fs';
import { createRandom } from './random.ts';
import { targets, throughProcesses } from './targets.ts';

const [name, seed, first, count, file] = process.argv.slice(2);
const target = targets[name!]!;
const marker = openSync(file!, 'w');
/** Milliseconds; those of a machine that is busy with other things too. */
const maxDuration = name === throughProcesses ? 60_000 : 2_000;

for (let index = Number(first); index < Number(first) + Number(count); index++) {
  writeSync(marker, `${index}`.padEnd(12), 0);
  const start = performance.now();
  const fault = await faultOf(() => target(createRandom(Number(seed) * 1_000_003 + index)));
  const duration = performance.now() - start;
  if (fault === undefined && duration < maxDuration) continue;
  console.log(fault ?? `takes ${duration.toFixed(0)} ms`);
  process.exit(1);
}

/** Errors of our own say what is wrong in one sentence; what JavaScript itself throws is a mistake of ours. */
async function faultOf(action: () => void | Promise<void>): Promise<string | undefined> {
  try {
    await action();
    return undefined;
  } catch (error) {
    const ours = error instanceof Error && ['Error', 'BpfError'].includes(error.constructor.name);
    if (ours && error.message.length < 2_000) return undefined;
    return error instanceof Error ? error.stack : String(error);
  }
}
