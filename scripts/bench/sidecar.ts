import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { environment, mountPaths, paths } from '../../sidecar/contract/pod.ts';
import { builtinProbes } from '../../sidecar/contract/probes.ts';
import { sidecarCommand, sidecarEnvironment } from '../image.ts';
import { type Container, createSandbox, type Sandbox } from '../node/sandbox.ts';
import { note } from '../progress.ts';
import { mebibytesOf, readMemory } from './memory.ts';
import type { Row } from './row.ts';

const starts = 5;
const settleSeconds = 30;
const scrapeSeconds = 5;
const port = 9387;

/** Those that a bound is set for: one of each kind of hook. */
const someProbes = ['network', 'syscalls', 'tcp'];

/** Start-up time and memory of the bundled sidecar, as its image starts it, with three built-in probes and with all. */
export async function benchSidecar(): Promise<Row[]> {
  return [
    ...(await measure(someProbes, `${someProbes.length} probes`, ['< 400 ms', '< 55 MiB', '< 14 MiB'])),
    ...(await measure(builtinProbes, `all ${builtinProbes.length} probes`)),
  ];
}

async function measure(
  probes: readonly string[],
  what: string,
  targets: readonly string[] = [],
): Promise<Row[]> {
  const times: number[] = [];
  for (let i = 0; i < starts; i++) {
    note(`${what}, start ${i + 1} of ${starts}`);
    times.push(await inPod(probes, ({ milliseconds }) => milliseconds));
  }
  const memory = await inPod(probes, async ({ url, pid }) => {
    for (let second = 0; second < settleSeconds; second += scrapeSeconds) {
      note(`${what}, ${second} of ${settleSeconds} s of scrapes`);
      await (await fetch(url(paths.metrics))).text();
      await delay(scrapeSeconds * 1000);
    }
    return readMemory(pid);
  });
  const settled = `after ${settleSeconds} s of scrapes`;
  const rows = [
    [
      `from its start to /metrics, median of ${starts}`,
      `${times.sort((a, b) => a - b)[Math.floor(starts / 2)]!.toFixed(0)} ms`,
    ],
    [`resident memory ${settled}`, `${mebibytesOf(memory, 'Rss').toFixed(1)} MiB`],
    [`of that its own (anonymous) ${settled}`, `${mebibytesOf(memory, 'Anonymous').toFixed(1)} MiB`],
  ];
  return rows.map(([name, value], index) => ({
    what: `sidecar with ${what}, ${name}`,
    value: value!,
    ...(targets[index] !== undefined && { target: targets[index] }),
  }));
}

/** A sidecar at work. */
export interface Started {
  url(path: string): string;
  pid: number;
  /** From the exec of Node to the first scrape with every probe attached. */
  milliseconds: number;
  stop(): Promise<void>;
}

async function inPod<T>(probes: readonly string[], use: (started: Started) => T | Promise<T>): Promise<T> {
  const sandbox = await createSandbox({ network: true });
  try {
    return await use(await startSidecar(sandbox, probes));
  } finally {
    await sandbox.destroy();
  }
}

/** Starts the bundled sidecar in a container of its own; resolves when every probe is attached and it was scraped. */
export async function startSidecar(sandbox: Sandbox, probes: readonly string[]): Promise<Started> {
  const child = spawnIn(sandbox.addContainer('bpf-sidecar'), sandbox, probes);
  const [line] = await once(createInterface(child.stdout!), 'line');
  const [pid, start] = line.split(' ').map(Number);
  const url = (path: string) => `http://${sandbox.address}:${port}${path}`;
  while (!(await answers(url(paths.ready)))) await delay(2);
  await (await fetch(url(paths.metrics))).text();
  return {
    url,
    pid,
    milliseconds: performance.timeOrigin + performance.now() - start / 1e6,
    async stop() {
      child.kill();
      await once(child, 'exit');
    },
  };
}

/** The first line that it prints is the pid and the time, in nanoseconds, at which Node starts. */
function spawnIn(container: Container, sandbox: Sandbox, probes: readonly string[]): ChildProcess {
  const podInfo = join(sandbox.volumes, 'podinfo');
  mkdirSync(podInfo, { recursive: true });
  const annotations = `bpf.sh/inject="true"\nbpf.sh/probes="${probes.join(',')}"\n`;
  writeFileSync(join(podInfo, 'annotations'), annotations);
  writeFileSync(join(podInfo, 'labels'), '');
  return container.spawn(['sh', '-c', 'echo $$ $(date +%s%N) && exec "$@"', 'sh', ...sidecarCommand, 'run'], {
    env: {
      ...sidecarEnvironment,
      [environment.namespace]: sandbox.namespace,
      [environment.pod]: sandbox.pod,
      [environment.uid]: sandbox.uid,
      [environment.node]: sandbox.node,
      [environment.port]: String(port),
    },
    mounts: [
      { source: podInfo, target: mountPaths.podInfo, readOnly: true },
      { source: '/sys/fs/cgroup', target: mountPaths.cgroup, readOnly: true },
      { source: sandbox.containerLogs, target: mountPaths.containerLogs, readOnly: true },
    ],
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** Whether a server answers, and with success. */
export async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

if (import.meta.main) console.table(await benchSidecar());
