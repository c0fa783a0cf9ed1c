import { attempt } from './attempt.ts';
import {
  type BpfObject,
  closeObject,
  emptyObject,
  isWanted,
  type Program,
  programFd,
  setConstants,
} from './libbpf/object.ts';
import { type RunStatistics, readStatistics } from './libbpf/statistics.ts';
import { createClearing } from './maps/clear.ts';
import { refuseLargeReads } from './maps/size.ts';
import type { PodCgroup } from './pod/cgroups.ts';
import { metricsOfMaps } from './probe-metrics.ts';
import { createProbeReader, mapsOf, type ProbeContext, type ProbeReader } from './probe-reader.ts';
import { createProfiler, type Profiler } from './profile/profiler.ts';
import type { Attachment } from './programs/attach/family.ts';
import { attachProgram } from './programs/attach.ts';
import { createCgroupIdMap } from './programs/cgroup-id-map.ts';
import { type Hooks, ownHooks } from './programs/hooks/hooks.ts';
import { setKernelAddresses } from './programs/kernel-addresses.ts';
import { loadPrograms } from './programs/load.ts';
import { fillOptions, setOptions } from './programs/options.ts';
import type { Family } from './series/family.ts';
import { createShares, type Shares } from './series/shares.ts';
import type { ProbeSource } from './source.ts';

/** A probe at work. */
export interface Probe extends ProbeReader {
  readonly name: string;
  /** What of its spec has no effect. */
  readonly remark?: string;
  readonly programs: readonly ProgramState[];
  /** The names of its metrics. */
  readonly metrics: readonly string[];
  /** How many of them are not in the kernel. */
  readonly programsRefused: number;
  /** Reads all its families at once. */
  read(): Family[];
  /** Brings its programs in line with the containers that there are now; undefined when none depends on them. */
  follow?: () => void;
  /** What has its samples taken; undefined when it has none that are taken on demand. */
  profiler?: Profiler;
  /** What its programs have cost, where the kernel counts that: each with what stands in for it on its hooks. */
  statistics(): ProgramStatistics[];
  /** Detaches the programs and frees their maps. */
  close(): void;
}

export interface ProgramStatistics extends RunStatistics {
  program: string;
}

export interface ProgramState {
  name: string;
  /** As written in SEC(). */
  section: string;
  /** In what its counts are approximate. */
  remark?: string;
  /** Why the program is not attached; undefined when it is. */
  problem?: string;
}

/**
 * Loads a probe's object and attaches its programs, each behind a dispatcher. A program that cannot be
 * attached leaves the others at work. Throws an Error when the object cannot be loaded or the spec does not
 * fit it or names a metric that another probe has; then nothing stays behind. `shares` is what the sidecar's
 * probes have together.
 */
export function startProbe(
  source: ProbeSource,
  pod: PodCgroup,
  context: ProbeContext,
  hooks: Hooks = ownHooks,
  shares: Shares = createShares(),
): Probe {
  const metricsOf = (object: BpfObject) => source.spec?.metrics ?? metricsOfMaps(source.name, object);
  const configure = (object: BpfObject) => {
    refuseLargeReads(object, metricsOf(object).flatMap(mapsOf));
    setConstants(object, { container_level: pod.level + 1 });
    setOptions(object, source.options ?? {});
    setKernelAddresses(object, source.spec?.kernelAddresses ?? []);
  };
  const { object, refused } =
    source.elf === undefined
      ? { object: emptyObject(source.name), refused: new Map<string, string>() }
      : loadPrograms(source.name, source.elf, configure);
  const programs: AttachedProgram[] = [];
  let reader: ProbeReader | undefined;
  let releaseNames: (() => void) | undefined;
  let profiler: Profiler | undefined;
  const close = () => {
    profiler?.close();
    for (const { attachment } of programs) attachment?.detach();
    reader?.close();
    releaseNames?.();
    closeObject(object);
  };
  try {
    const metrics = metricsOf(object);
    releaseNames = shares.names.claim(source.name, metrics);
    reader = createProbeReader(metrics, object, context, shares.room, pod);
    const update = source.spec?.cgroupIdMap && createCgroupIdMap(object, source.spec.cgroupIdMap);
    const updateCgroups = () => update?.(context.containerCgroups?.() ?? []);
    updateCgroups();
    fillOptions(object, source.options ?? {});
    const subjects = source.spec?.subjects ?? {};
    refuseUnknown(Object.keys(subjects), object);
    for (const found of object.programs) {
      const subject = subjects[found.name];
      const program = subject === undefined ? found : { ...found, subject };
      const refusal = refused.get(program.name);
      if (refusal === undefined && !isWanted(program)) continue;
      programs.push(
        refusal === undefined ? attach(program, pod, hooks) : { state: stateOf(program, refusal), own: -1 },
      );
    }
    const follow = () => {
      for (const program of programs) maintain(program, program.attachment?.follow);
    };
    follow();
    const clearings = programs.every(({ attachment }) => attachment?.refresh)
      ? object.maps.filter(({ name }) => !name.includes('.')).flatMap((map) => createClearing(map) ?? [])
      : [];
    const enabling = programs.flatMap(({ attachment }) => attachment?.enable ?? []);
    const enable = (on: boolean) => {
      for (const action of enabling) action(on);
    };
    if (enabling.length > 0) profiler = createProfiler(object, enable, context);
    const { families, needs } = reader;
    const prepare = () => {
      updateCgroups();
      for (const clear of clearings) clear();
      for (const program of programs) maintain(program, program.attachment?.refresh);
    };
    return {
      ...reader,
      *families() {
        prepare();
        yield* families();
      },
      read() {
        prepare();
        return [...families()];
      },
      ...(profiler && { profiler, needs: [...needs, 'SYSLOG'] }),
      ...(programs.some(({ attachment }) => attachment?.follow) && { follow }),
      statistics: () =>
        programs.flatMap(({ state, attachment, own }) =>
          attachment === undefined
            ? []
            : [{ program: state.name, ...total((attachment.standIns?.() ?? [own]).map(readStatistics)) }],
        ),
      name: source.name,
      ...(source.spec?.remark !== undefined && { remark: source.spec.remark }),
      programs: programs.map(({ state }) => state),
      metrics: metrics.map(({ name }) => name),
      programsRefused: refused.size,
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** A name of a program in the spec that the object does not have. */
function refuseUnknown(names: readonly string[], { name, programs }: BpfObject): void {
  const known = programs.map((program) => program.name);
  const unknown = names.find((candidate) => !known.includes(candidate));
  if (unknown !== undefined)
    throw new Error(`object ${name} has no program ${unknown}; it has ${known.join(', ') || 'none'}`);
}

interface AttachedProgram {
  state: ProgramState;
  attachment?: Attachment;
  /** The program's own descriptor. */
  own: number;
}

function attach(program: Program, pod: PodCgroup, hooks: Hooks): AttachedProgram {
  const attachment = attempt(() => attachProgram(program, pod, hooks));
  const own = programFd(program);
  if (attachment instanceof Error) return { state: stateOf(program, attachment.message), own };
  const { remark } = attachment;
  return { state: { ...stateOf(program), ...(remark !== undefined && { remark }) }, attachment, own };
}

function stateOf({ name, section }: Program, problem?: string): ProgramState {
  return { name, section, ...(problem !== undefined && { problem }) };
}

/** Does what is to be done for an attached program now and then: its problem is what the last time told. */
function maintain({ state }: AttachedProgram, action: (() => void) | undefined): void {
  if (action === undefined) return;
  const outcome = attempt(action);
  if (outcome instanceof Error) state.problem = outcome.message;
  else delete state.problem;
}

function total(all: readonly RunStatistics[]): RunStatistics {
  return {
    runs: all.reduce((sum, { runs }) => sum + runs, 0),
    seconds: all.reduce((sum, { seconds }) => sum + seconds, 0),
  };
}
