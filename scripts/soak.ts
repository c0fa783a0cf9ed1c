/**
 * `npm run soak`: loads, attaches and closes an object ten thousand times and scrapes a hundred thousand times,
 * and prints the resident memory meanwhile. Ends with exit code 1 when memory has grown. `--short` does one in
 * twenty of each.
 */
import { setImmediate } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { textFormat } from '../sidecar/exposition/text.ts';
import { libc } from '../sidecar/libbpf/native.ts';
import { startProbe } from '../sidecar/probe.ts';
import { builtinProbe } from '../sidecar/source.ts';
import { lasting, placeOf } from './node/place.ts';
import { createSandbox } from './node/sandbox.ts';
import { at, say, waiting } from './progress.ts';

const samples = 20;
/** Of the mean of the last quarter over the second; the first warms up. */
const allowedGrowth = 4;

const { values } = parseArgs({ options: { short: { type: 'boolean', default: false } } });
const scale = values.short ? 20 : 1;

const context = { containerName: () => 'web', ...lasting, wantsContainer: () => true, generation: () => 0 };
const sandbox = await createSandbox();
try {
  const pod = placeOf(sandbox, sandbox.addContainer('bpf-sidecar'));
  const network = builtinProbe('network');
  const cycles = await soak('load, attach and close', 10_000 / scale, () => {
    startProbe(network, pod, context).close();
  });

  const probes = ['network', 'syscalls', 'tcp'].map((name) => startProbe(builtinProbe(name), pod, context));
  const busy = sandbox
    .addContainer('web')
    .spawn(['sh', '-c', 'while :; do ls / > /dev/null; done'], { stdio: 'ignore' });
  const scrapes = await soak('scrape', 100_000 / scale, () => {
    textFormat.render(
      probes.flatMap((probe) => probe.read()),
      'pod="web"',
    );
  });
  busy.kill();
  for (const probe of probes) probe.close();
  process.exitCode = cycles && scrapes ? 0 : 1;
} finally {
  await sandbox.destroy();
}

/** Prints the memory as it goes; resolves to whether it stayed flat. */
async function soak(what: string, times: number, action: () => void): Promise<boolean> {
  console.log(`${times.toLocaleString('en')} times ${what}`);
  const memory: number[] = [];
  await waiting(what, async () => {
    for (let done = 0; done < times; ) {
      const until = Math.round(((memory.length + 1) * times) / samples);
      for (; done < until; done++) {
        at(done, times);
        action();
        // A turn of the event loop, in which finalizers of buffers run.
        await setImmediate();
      }
      globalThis.gc?.();
      libc.malloc_trim(0);
      memory.push(process.memoryUsage.rss() / 2 ** 20);
      say(`  ${String(done).padStart(7)}  ${memory.at(-1)!.toFixed(1)} MiB`, process.stdout);
    }
  });
  const mean = (from: number, to: number) => {
    const part = memory.slice(from * samples, to * samples);
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  };
  const growth = mean(0.75, 1) - mean(0.25, 0.5);
  const flat = growth < allowedGrowth;
  console.log(`  ${flat ? 'flat' : 'GROWN'}: ${growth.toFixed(1)} MiB from the second quarter to the last\n`);
  return flat;
}
