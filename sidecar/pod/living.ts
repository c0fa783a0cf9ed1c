import { join } from 'node:path';
import { cgroupId, type PodCgroup, subdirectories } from './cgroups.ts';

/** The id of the root of a cgroup hierarchy. */
const rootId = 1n;

/**
 * Whether a cgroup at a level still exists, by its id. Undefined where the hierarchy is mounted only in part, as
 * on a node inside a container, so that nobody can tell.
 */
export function createCgroupFinder(pod: PodCgroup): ((id: bigint, level: number) => boolean) | undefined {
  const root = join(pod.path, ...new Array<string>(pod.level).fill('..'));
  if (idOrNone(root) !== rootId) return undefined;
  /** By level: the directories, each found once. */
  const levels: Map<bigint, string>[] = [new Map([[rootId, root]])];
  const at = (level: number): Map<bigint, string> => {
    levels[level] ??= new Map(
      [...at(level - 1).values()].flatMap((parent) =>
        subdirectories(parent).flatMap((name) => {
          const path = join(parent, name);
          const id = idOrNone(path);
          return id === undefined ? [] : [[id, path] as const];
        }),
      ),
    );
    return levels[level]!;
  };
  return (id, level) => at(level).has(id);
}

/** Undefined for a directory that has just gone. */
function idOrNone(path: string): bigint | undefined {
  try {
    return cgroupId(path);
  } catch {
    return undefined;
  }
}
