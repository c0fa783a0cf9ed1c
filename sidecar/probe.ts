import { closeObject, loadObject, openObject, setConstants } from './libbpf/object.ts';
import type { PodCgroup } from './pod/cgroups.ts';
import { metricsOfMaps } from './probe-metrics.ts';
import { createProbeReader, type ProbeContext, type ProbeReader } from './probe-reader.ts';
import type { Attachment } from './programs/attach/family.ts';
import { attachProgram } from './programs/attach.ts';
import { createCgroupIdMap } from './programs/cgroup-id-map.ts';
import { type Hooks, ownHooks } from './programs/hooks/hooks.ts';
import { setKernelAddresses } from './programs/kernel-addresses.ts';
import { createShares, type Shares } from './series/shares.ts';
import type { ProbeSource } from './source.ts';

/** A probe at work. */
export interface Probe extends ProbeReader {
  readonly name: string;
  readonly programs: readonly ProgramState[];
  /** Detaches the programs and frees their maps. */
  close(): void;
}

export interface ProgramState {
  name: string;
  /** As written in SEC(). */
  section: string;
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
  const object = openObject(source.name, source.elf);
  const attachments: Attachment[] = [];
  let reader: ProbeReader | undefined;
  const close = () => {
    for (const attachment of attachments) attachment.detach();
    reader?.close();
    shares.names.release(source.name);
    closeObject(object);
  };
  try {
    setConstants(object, { container_level: pod.level + 1 });
    setKernelAddresses(object, source.spec?.kernelAddresses ?? []);
    const metrics = source.spec?.metrics ?? metricsOfMaps(source.name, object);
    shares.names.claim(source.name, metrics);
    loadObject(object);
    reader = createProbeReader(metrics, object, context, shares.room);
    const update = source.spec?.cgroupIdMap && createCgroupIdMap(object, source.spec.cgroupIdMap);
    const updateCgroups = () => update?.(context.containerCgroups?.() ?? []);
    updateCgroups();
    const programs = object.programs.map(({ name, section }, index): ProgramState => {
      try {
        attachments.push(attachProgram(object.programs[index]!, pod, hooks));
        return { name, section };
      } catch (error) {
        return { name, section, problem: (error as Error).message };
      }
    });
    const { read } = reader;
    return {
      ...reader,
      read() {
        updateCgroups();
        return read();
      },
      name: source.name,
      programs,
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}
