import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { startProbe } from '../../sidecar/probe.ts';
import { builtinProbe } from '../../sidecar/source.ts';
import { lasting, placeOf } from '../node/place.ts';
import { createSandbox } from '../node/sandbox.ts';
import { at } from '../progress.ts';
import type { Row } from './row.ts';

const rounds = 7;
const copies = 400_000;
/** A read and a write of one byte for each. */
const work = ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=1', `count=${copies}`, 'status=none'];
const callsPerCopy = 2;

const context = { containerName: () => 'web', ...lasting, wantsContainer: () => true, generation: () => 0 };

/**
 * What a system call costs more with the syscalls probe on the node: in the observed pod, where it is counted,
 * and outside, where the dispatcher turns it away. Each round measures all in turn, so that a slow moment of the
 * machine meets them alike.
 */
export async function benchEvents(): Promise<Row[]> {
  const sandbox = await createSandbox();
  try {
    const pod = placeOf(sandbox, sandbox.addContainer('bpf-sidecar'));
    const web = sandbox.addContainer('web');
    const outside = () => nanoseconds(spawn(work[0]!, work.slice(1), { stdio: 'ignore' }));
    const inside = () => nanoseconds(web.spawn(work, { stdio: 'ignore' }));
    const times = { without: [] as number[], outside: [] as number[], inside: [] as number[] };
    for (let round = 0; round < rounds; round++) {
      at(round, rounds);
      times.without.push(await outside());
      const probe = startProbe(builtinProbe('syscalls'), pod, context);
      times.outside.push(await outside());
      times.inside.push(await inside());
      probe.close();
    }
    const without = median(times.without);
    const more = (what: string, measured: number[]): Row => ({
      what: `system call ${what}`,
      value: `${(median(measured) - without).toFixed(0)} ns more`,
    });
    return [
      { what: 'system call without the syscalls probe', value: `${without.toFixed(0)} ns` },
      more('of another pod, with it', times.outside),
      more('of the pod, counted and timed', times.inside),
    ];
  } finally {
    await sandbox.destroy();
  }
}

/** Per system call, from the start of the process to its end. */
async function nanoseconds(child: ChildProcess): Promise<number> {
  const start = process.hrtime.bigint();
  await once(child, 'exit');
  return Number(process.hrtime.bigint() - start) / (copies * callsPerCopy);
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

if (import.meta.main) console.table(await benchEvents());
