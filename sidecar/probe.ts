import {
  type BpfObject,
  closeObject,
  findMap,
  findMember,
  loadObject,
  openObject,
  setConstants,
} from './libbpf/object.ts';
import { canFold, foldDeparted, type Lifetimes } from './maps/departed.ts';
import { createMapReader } from './maps/read.ts';
import type { PodCgroup } from './pod/cgroups.ts';
import type { Attachment } from './programs/attach/family.ts';
import { attachProgram } from './programs/attach.ts';
import { type Hooks, ownHooks } from './programs/hooks/hooks.ts';
import type { DecoderContext } from './series/decoders/decoder.ts';
import type { Family } from './series/family.ts';
import { createFamilyReader } from './series/family-reader.ts';
import { cgroupOffset } from './series/layout.ts';
import type { ProbeSource } from './source.ts';

/** A probe at work. */
export interface Probe {
  readonly name: string;
  readonly programs: readonly ProgramState[];
  /** Reads the probe's maps, each once. */
  read(): Family[];
  /** Series left out of the reads so far because their family was full. */
  dropped(): number;
  /** Detaches the programs and frees their maps. */
  close(): void;
}

/** What a probe has to know of the pod's containers. */
export type ProbeContext = DecoderContext & Lifetimes;

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
 * fit it; then nothing stays behind.
 */
export function startProbe(
  source: ProbeSource,
  pod: PodCgroup,
  context: ProbeContext,
  hooks: Hooks = ownHooks,
): Probe {
  const object = openObject(source.name, source.elf);
  const attachments: Attachment[] = [];
  const close = () => {
    for (const attachment of attachments) attachment.detach();
    closeObject(object);
  };
  try {
    setConstants(object, { container_level: pod.level + 1 });
    loadObject(object);
    const reader = createProbeReader(source, object, context);
    const programs = object.programs.map(({ name, section }, index): ProgramState => {
      try {
        attachments.push(attachProgram(object.programs[index]!, pod, hooks));
        return { name, section };
      } catch (error) {
        return { name, section, problem: (error as Error).message };
      }
    });
    return { name: source.name, programs, ...reader, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Several metrics may come from one map, which is then read once a scrape. */
function createProbeReader(
  source: ProbeSource,
  object: BpfObject,
  context: ProbeContext,
): Pick<Probe, 'read' | 'dropped'> {
  // Before any program is attached: nothing has been counted yet.
  const created = Date.now() / 1000;
  const maps = [...Map.groupBy(source.spec.metrics, (metric) => metric.map)].map(([name, metrics]) => {
    const map = findMap(object, name);
    const layout = {
      keySize: map.keySize,
      valueSize: map.valueSize,
      created,
      member: (member: string) => findMember(object, name, member),
    };
    const readers = metrics.map((metric) => createFamilyReader(metric, layout, context));
    const read = createMapReader(map);
    const idOffset = cgroupOffset(metrics);
    const folds = idOffset !== undefined && canFold(map);
    return { read: folds ? foldDeparted(read, map, idOffset, context) : read, readers };
  });
  return {
    read: () =>
      maps.flatMap(({ read, readers }) => {
        const entries = read();
        return readers.map((reader) => reader.read(entries));
      }),
    dropped: () => maps.flatMap(({ readers }) => readers).reduce((sum, reader) => sum + reader.dropped(), 0),
  };
}
