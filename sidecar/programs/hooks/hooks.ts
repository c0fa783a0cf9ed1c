import { closeSync } from 'node:fs';
import type { Link } from '../../libbpf/link.ts';
import { type BpfObject, duplicate, findMap, findVariables, mapFd, programFd } from '../../libbpf/object.ts';
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

/** A dispatcher at work, by descriptors of its own: an object that is open takes some 50 KiB. */
export interface Dispatcher {
  /** The program on the hook. */
  program: number;
  link: Link;
  maps: Lane | InPod;
}

/** The only map of a dispatcher that stands in the pod cgroup, where the kernel has found the pod. */
type InPod = Pick<Lane, 'programs'>;

/** Every program has a dispatcher of its own, which goes with this process. */
export const ownHooks: Hooks = {
  exclusively: async (action) => action(),
  share: (_hook, start, pod, program) => keepDispatcher(start(), pod, program),
};

/**
 * Has a dispatcher that is not shared call a program, which one in the pod cgroup does already; it goes with the program,
 * or when that fails.
 */
export function keepDispatcher(dispatcher: Dispatcher, pod: PodCgroup, program: number): Attachment {
  const { link, maps } = dispatcher;
  try {
    if (isGlobal(maps)) addEntry(maps, pod, program);
  } catch (error) {
    closeDispatcher(dispatcher);
    throw error;
  }
  return {
    detach: () => closeDispatcher(dispatcher),
    standIns: () => [dispatcher.program],
    ...(link.refresh && { refresh: link.refresh }),
    ...(link.enable && { enable: link.enable }),
  };
}

/** Holds a loaded dispatcher that is on its hook; its object may be closed then. When it cannot, it is taken off. */
export function holdDispatcher(object: BpfObject, link: Link): Dispatcher {
  const held: number[] = [];
  const hold = (fd: number) => {
    held.push(duplicate(fd));
    return held.at(-1)!;
  };
  const mapOf = (name: string) => mapFd(findMap(object, name));
  try {
    return {
      program: hold(programFd(object.programs[0]!)),
      link,
      maps: {
        programs: hold(mapOf('programs')),
        ...(looksForPod(object) && {
          pods: hold(mapOf('pods')),
          variables: hold(mapFd(findVariables(object))),
        }),
      },
    };
  } catch (error) {
    link.close();
    held.forEach(closeSync);
    throw error;
  }
}

/** Whether a dispatcher stands on a hook of the whole node. */
export function looksForPod(object: BpfObject): boolean {
  return object.maps.some((map) => map.name === 'pods');
}

function isGlobal(maps: Dispatcher['maps']): maps is Lane {
  return 'pods' in maps;
}

export function closeDispatcher({ program, link, maps }: Dispatcher): void {
  link.close();
  for (const descriptor of [program, ...Object.values(maps)]) closeSync(descriptor);
}
