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
import type { AttachFamily, Attachment } from './attach/family.ts';

/** What a family says of its dispatchers; the rest is the same for all. */
export interface Dispatching {
  accepts(program: Program): boolean;
  /** What stands in. Throws an Error that says why where an event of the hook cannot be given to a pod. */
  dispatcher(program: Program): Dispatcher;
  /** What the hook is told when the event is not for the program: that nothing is to change. */
  verdict: number;
  /** Makes the opened dispatcher fit for the program's hook, before it is loaded. */
  prepare(dispatcher: Program, program: Program): void;
  /** `pod` is the open directory of the pod cgroup. */
  link(dispatcher: Program, program: Program, pod: number): Link;
}

/** An object of bpf/dispatchers, which decides the subject, and its constants. */
export interface Dispatcher {
  object: string;
  constants: Readonly<Record<string, number>>;
}

/** The pod's place in a dispatcher's `programs`: a private dispatcher has only one. */
const slot = 0;

/**
 * A family whose programs are never attached themselves: a dispatcher stands in for each on its hook and calls it
 * for events of the pod alone, the sidecar's own left out.
 */
export function behindDispatcher(dispatching: Dispatching): AttachFamily {
  return {
    accepts: dispatching.accepts,
    attach: (program, pod) => attachDispatcher(dispatching, program, pod),
  };
}

function attachDispatcher(dispatching: Dispatching, program: Program, pod: PodCgroup): Attachment {
  const { object: kind, constants } = dispatching.dispatcher(program);
  const object = openObject(`dispatcher ${kind}`, readObject(`dispatchers/${kind}`));
  try {
    // Errors are to name the program that it stands in for.
    const dispatcher = { ...object.programs[0]!, name: program.name };
    setConstants(object, {
      ...constants,
      verdict: dispatching.verdict,
      sidecar: pod.sidecar,
      container_level: pod.level + 1,
    });
    dispatching.prepare(dispatcher, program);
    const onGlobalHook = object.maps.some((map) => map.name === 'pods');
    if (onGlobalHook) setVariable(object, 'pod_levels', 1n << BigInt(pod.level));
    loadObject(object);
    updateElement(mapFd(findMap(object, 'programs')), uint32(slot), uint32(programFd(program)));
    if (onGlobalHook) registerPod(object, pod);
    const link = linkTo(dispatching, dispatcher, program, pod);
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

function linkTo(dispatching: Dispatching, dispatcher: Program, program: Program, pod: PodCgroup): Link {
  const directory = openSync(pod.path, 'r');
  try {
    return dispatching.link(dispatcher, program, directory);
  } finally {
    closeSync(directory);
  }
}

function uint32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
}
