import type { Link } from '../../libbpf/link.ts';
import {
  type BpfObject,
  closeObject,
  findMap,
  findVariables,
  mapFd,
  programFd,
} from '../../libbpf/object.ts';
import type { PodCgroup } from '../../pod/cgroups.ts';
import type { Attachment } from '../attach/family.ts';
import { addEntry, type Lane } from './lane.ts';

/** The global hooks of the node, and the dispatchers on them. */
export interface Hooks {
  /**
   * Runs `action`, in which programs may be attached and detached, while no other sidecar does so. Rejects
   * with what the action throws.
   */
  exclusively<T>(action: () => T): Promise<T>;
  /**
   * Has the dispatcher of a hook call a loaded program for the events of the pod. `hook` is what makes two
   * dispatchers the same: program type, hook and subject, with slashes between them. `start` puts one on the hook, when it is needed.
   */
  share(hook: string, start: () => Dispatcher, pod: PodCgroup, program: number): Attachment;
}

/** A dispatcher at work. */
export interface Dispatcher {
  object: BpfObject;
  link: Link;
}

/** Every program has a dispatcher of its own, which goes with this process. */
export const ownHooks: Hooks = {
  exclusively: async (action) => action(),
  share: (_hook, start, pod, program) => keepDispatcher(start(), pod, program),
};

/** Has a dispatcher that is not shared call a program; it is closed when that fails. */
export function keepDispatcher(dispatcher: Dispatcher, pod: PodCgroup, program: number): Attachment {
  try {
    addEntry(laneOf(dispatcher), pod, program);
    return attachmentOf(dispatcher);
  } catch (error) {
    closeDispatcher(dispatcher);
    throw error;
  }
}

/** A dispatcher that works for one program, and goes with it. */
export function attachmentOf(dispatcher: Dispatcher): Attachment {
  const { refresh, enable } = dispatcher.link;
  return {
    detach: () => closeDispatcher(dispatcher),
    standIns: () => [standIn(dispatcher)],
    ...(refresh && { refresh }),
    ...(enable && { enable }),
  };
}

/** The maps of a dispatcher of ours; they are open as long as its object. */
export function laneOf({ object }: Dispatcher): Lane {
  return {
    pods: mapFd(findMap(object, 'pods')),
    programs: mapFd(findMap(object, 'programs')),
    variables: mapFd(findVariables(object)),
  };
}

/** The descriptor of the program on the hook. */
export function standIn({ object }: Dispatcher): number {
  return programFd(object.programs[0]!);
}

export function closeDispatcher({ object, link }: Dispatcher): void {
  link.close();
  closeObject(object);
}
