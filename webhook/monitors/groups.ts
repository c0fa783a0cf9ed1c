import { idOf } from '../kubernetes/watch.ts';
import type { InjectedPod } from '../pods/injected-pod.ts';

/** The injected pods, by the id (`namespace/name`) that what is kept for them has. */
export interface Groups {
  pods(id: string): readonly InjectedPod[];
  ids(): IterableIterator<string>;
  /** Pods in no group: they have no identity that a selector could use. */
  readonly apart: number;
  /** Puts a pod in its group; returns the id of the group. */
  add(pod: InjectedPod): string | undefined;
  /** Takes a pod, the very object that was added, out of its group. */
  remove(pod: InjectedPod): string | undefined;
}

/** `nameOf` tells the name of what is kept for a pod, or undefined. */
export function createGroups(nameOf: (pod: InjectedPod) => string | undefined): Groups {
  const groups = new Map<string, InjectedPod[]>();
  let apart = 0;

  function idFor(pod: InjectedPod): string | undefined {
    const name = nameOf(pod);
    return name === undefined ? undefined : idOf({ namespace: pod.namespace, name });
  }

  return {
    pods: (id) => groups.get(id) ?? [],
    ids: () => groups.keys(),
    get apart() {
      return apart;
    },
    add(pod) {
      const id = idFor(pod);
      if (id === undefined) {
        apart += 1;
        return undefined;
      }
      const group = groups.get(id);
      if (group) group.push(pod);
      else groups.set(id, [pod]);
      return id;
    },
    remove(pod) {
      const id = idFor(pod);
      if (id === undefined) {
        apart -= 1;
        return undefined;
      }
      const group = groups.get(id) ?? [];
      const index = group.indexOf(pod);
      const last = group.pop();
      if (last && index < group.length) group[index] = last;
      if (group.length === 0) groups.delete(id);
      return id;
    },
  };
}
