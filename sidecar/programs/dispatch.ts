import { closeSync, openSync } from 'node:fs';
import { destroyLink, type Link } from '../libbpf/link.ts';
import { updateElement } from '../libbpf/map.ts';
import {
  type BpfObject,
  closeObject,
  findMap,
  loadObject,
  mapFd,
  openObject,
  type Program,
  programFd,
  setConstants,
  setVariable,
} from '../libbpf/object.ts';
import { readObject } from '../objects.ts';
import type { PodCgroup } from '../pod/cgroups.ts';
import { cgroup } from './attach/cgroup.ts';
import type { AttachFamily } from './attach/family.ts';
import { rawTracepoint } from './attach/raw-tracepoint.ts';
import { tpBtf } from './attach/tp-btf.ts';
import { tracepoint } from './attach/tracepoint.ts';

const families: readonly AttachFamily[] = [tpBtf, rawTracepoint, tracepoint, cgroup];

/** A program at work behind its dispatcher. */
export interface Attachment {
  detach(): void;
}

/** The pod's place in a dispatcher's `programs`: a private dispatcher has only one. */
const slot = 0;

/**
 * Puts a loaded program behind a dispatcher on the program's hook, so that it runs for events of the pod
 * alone, the sidecar's own left out. Throws an Error that names the program and the reason.
 */
export function dispatch(program: Program, pod: PodCgroup): Attachment {
  const family = families.find((candidate) => candidate.accepts(program));
  if (!family)
    throw new Error(
      `program ${program.name}: SEC("${program.section}") is of a kind that cannot be attached yet`,
    );
  const { object: kind, constants } = family.dispatcher(program);
  const object = openObject(`dispatcher ${kind}`, readObject(`dispatchers/${kind}`));
  try {
    // Errors are to name the program that it stands in for.
    const dispatcher = { ...object.programs[0]!, name: program.name };
    setConstants(object, {
      ...constants,
      verdict: family.verdict,
      sidecar: pod.sidecar,
      container_level: pod.level + 1,
    });
    family.prepare(dispatcher, program);
    const onGlobalHook = object.maps.some((map) => map.name === 'pods');
    if (onGlobalHook) setVariable(object, 'pod_levels', 1n << BigInt(pod.level));
    loadObject(object);
    updateElement(mapFd(findMap(object, 'programs')), uint32(slot), uint32(programFd(program)));
    if (onGlobalHook) registerPod(object, pod);
    const link = attachTo(family, dispatcher, program, pod);
    return {
      detach() {
        destroyLink(link);
        closeObject(object);
      },
    };
  } catch (error) {
    closeObject(object);
    throw error;
  }
}

/** struct pod of bpf/include/dispatch.bpf.h. */
function registerPod(object: BpfObject, pod: PodCgroup): void {
  const key = Buffer.alloc(8);
  key.writeBigUInt64LE(pod.id);
  const value = Buffer.alloc(16);
  value.writeBigUInt64LE(pod.sidecar, 0);
  value.writeUInt32LE(slot, 8);
  updateElement(mapFd(findMap(object, 'pods')), key, value);
}

function attachTo(family: AttachFamily, dispatcher: Program, program: Program, pod: PodCgroup): Link {
  const directory = openSync(pod.path, 'r');
  try {
    return family.attach(dispatcher, program, directory);
  } finally {
    closeSync(directory);
  }
}

function uint32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
}
