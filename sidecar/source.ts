import { type BigIntStats, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Metric, type MetricSpec, readMetricSpec, specLimits } from './contract/metric-spec.ts';
import { mountPaths, programFiles } from './contract/pod.ts';
import { labelBounds, type OptionValue } from './contract/probe-options.ts';
import { isBuiltin } from './contract/probes.ts';
import { hasObject, readObject, readSpec } from './objects.ts';
import { readSpecApart } from './read-spec.ts';
import type { PodSettings } from './settings.ts';
import { tryObject } from './trial.ts';

/** What a probe is made of: the built-in ones and a user's own are the same from here on. */
export interface ProbeSource {
  name: string;
  /** The compiled object; without it the probe has no program, and its spec no map. */
  elf?: Buffer;
  /** Without it every map that can be read becomes a counter. */
  spec?: MetricSpec;
  /** By name. */
  options?: Readonly<Record<string, OptionValue>>;
}

/** A probe that the pod's annotations ask for. */
export interface WantedProbe {
  name: string;
  /** Becomes another one when the probe's files do. */
  version: string;
  /** Rejects with an Error of one sentence when there is no such probe, or its spec is wrong. */
  read(): Promise<ProbeSource>;
}

const maxObjectBytes = 16 * 1024 * 1024;

/** The built-in probes, then the programs, as they are now; those `withSpec` are not run before their metric spec is there. */
export function wantedProbes(
  { probes, programs, probeOptions }: PodSettings,
  withSpec: readonly string[],
): WantedProbe[] {
  return [
    ...probes.map((name) => {
      const options = probeOptions[name] ?? {};
      return { name, version: JSON.stringify(options), read: async () => builtinProbe(name, options) };
    }),
    ...programs.map((name) => ({
      name,
      version: Object.values(programFiles)
        .map((file) => versionOf(join(mountPaths.programs, name, file)))
        .join(),
      read: () => readProgram(name, withSpec.includes(name)),
    })),
  ];
}

export function builtinProbe(name: string, options: ProbeSource['options'] = {}): ProbeSource {
  const spec = readMetricSpec(readSpec(name), `${name}.yaml`);
  const bounds = labelBounds(name, options);
  const metrics = spec.metrics.map((metric) => boundLabels(metric, bounds));
  return { name, spec: { ...spec, metrics }, options, ...(hasObject(name) && { elf: readObject(name) }) };
}

/** A metric whose labels have no more different values than `bounds` says. */
function boundLabels(metric: Metric, bounds: ReadonlyMap<string, number>): Metric {
  const labels = metric.labels?.map((label) => {
    const maxValues = bounds.get(label.name);
    return maxValues === undefined ? label : { ...label, maxValues };
  });
  return { ...metric, ...(labels && { labels }) };
}

/** A user's own, from the volume that holds it. */
async function readProgram(name: string, hasSpec: boolean): Promise<ProbeSource> {
  if (isBuiltin(name))
    throw new Error(`program ${name} has the name of a built-in probe; give its BPF resource another one`);
  const directory = join(mountPaths.programs, name);
  const elf = readIfThere(join(directory, programFiles.object), maxObjectBytes);
  if (elf === undefined) throw missing(`program ${name}`, directory, programFiles.object);
  const yaml = readIfThere(join(directory, programFiles.spec), specLimits.bytes);
  if (yaml === undefined && hasSpec)
    throw missing(`the metric spec of program ${name}`, directory, programFiles.spec);
  await tryObject(name, elf);
  if (yaml === undefined) return { name, elf };
  return { name, elf, spec: await readSpecApart(yaml, `${name}/${programFiles.spec}`) };
}

function missing(what: string, directory: string, file: string): Error {
  return new Error(
    `${what} is not there: ${join(directory, file)} comes from the ConfigMap or Secret that its BPF resource named when the pod was created`,
  );
}

function readIfThere(path: string, most: number): Buffer | undefined {
  const status = statOf(path);
  if (status === undefined) return undefined;
  if (status.size > most) throw new Error(`${path} has ${status.size} bytes, and the most is ${most}`);
  return readFileSync(path);
}

/** The kubelet writes a changed ConfigMap into new files. */
function versionOf(path: string): string {
  const status = statOf(path);
  return status === undefined ? 'none' : `${status.ino}-${status.mtimeNs}-${status.size}`;
}

function statOf(path: string): BigIntStats | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false });
}
