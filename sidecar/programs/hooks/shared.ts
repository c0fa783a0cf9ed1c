import { readdirSync, statfsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Log } from '../../contract/log.ts';
import type { PodCgroup } from '../../pod/cgroups.ts';
import { createCgroupFinder } from '../../pod/living.ts';
import { closeDispatcher, type Hooks, keepDispatcher, ownHooks } from './hooks.ts';
import { addEntry, type Entry, hasRoom, removeEntries } from './lane.ts';
import { lockDirectory } from './lock.ts';
import { directoryName } from './name.ts';
import { holdLane, isLane, lanesOf, pinLane, removeIfEmpty, removeLane, withMaps } from './pins.ts';

/**
 * The layout of what is pinned and of the maps in it. Sidecars with another one share nothing with those of this,
 * and work beside them.
 */
const protocol = 'v2';

/** <linux/magic.h> */
const BPF_FS_MAGIC = 0xcafe4a11;

/**
 * The hooks of a node whose sidecars share their dispatchers, by pins in the host's bpffs, of which `bpffs` is
 * the mount point:
 *
 *     bpf-sidecar/v2/<hook>/<lane>/{pods,programs,variables,program,link}
 *
 * A pod is in a lane once. Where it has several programs on one hook there are as many lanes, because a tail call
 * does not come back: a hook costs as much as the busiest pod has programs on it, however many pods there are.
 *
 * All changes are made under a lock, in an order that leaves something sound when the sidecar dies in between;
 * what is left over goes when the next one comes. Where there is no bpffs every sidecar has its own dispatchers.
 */
export function shareHooks(bpffs: string, pod: PodCgroup, log: Log, layout = protocol): Hooks {
  if (!isBpffs(bpffs)) {
    log('info', 'dispatchers are not shared with other sidecars', { reason: `${bpffs} is no bpffs` });
    return ownHooks;
  }
  const root = join(bpffs, 'bpf-sidecar', layout);
  /** For a lane that is being made; because of the lock there is one at most. */
  const unfinished = join(root, 'unfinished');
  let isLocked = false;
  let isSwept = false;

  return {
    async exclusively(action) {
      const unlock = await lockDirectory(root);
      if (unlock === undefined) {
        log('warn', 'another sidecar keeps the dispatchers locked: going on without sharing them', { root });
        return action();
      }
      isLocked = true;
      try {
        if (!isSwept) sweep(root, unfinished, pod);
        isSwept = true;
        return action();
      } finally {
        isLocked = false;
        removeIfEmpty(root);
        removeIfEmpty(dirname(root));
        unlock();
      }
    },
    share(hook, start, podCgroup, program) {
      if (!isLocked) return ownHooks.share(hook, start, podCgroup, program);
      const directory = join(root, directoryName(hook));
      let lane = lanesOf(directory).find((path) => withMaps(path, (maps) => hasRoom(maps, podCgroup)));
      if (lane === undefined) {
        const dispatcher = start();
        try {
          lane = pinLane(dispatcher, unfinished, directory);
        } catch (error) {
          closeDispatcher(dispatcher);
          throw error;
        }
        if (lane === undefined) return keepDispatcher(dispatcher, podCgroup, program);
        closeDispatcher(dispatcher);
      }
      const path = lane;
      withMaps(path, (maps) => addEntry(maps, podCgroup, program));
      const held = holdLane(path);
      return {
        standIns: () => [held.program],
        detach() {
          held.release();
          // Without the lock it is left to who comes next, as if we had died. Somebody may have removed the pins.
          if (isLocked && isLane(path)) leave(path, ({ id }) => id === podCgroup.id);
        },
      };
    },
  };
}

function isBpffs(path: string): boolean {
  try {
    return statfsSync(path).type === BPF_FS_MAGIC;
  } catch {
    return false;
  }
}

/** Takes out what a sidecar of this pod, or of a pod that is gone, has left behind. */
function sweep(root: string, unfinished: string, pod: PodCgroup): void {
  removeLane(unfinished);
  const exists = createCgroupFinder(pod) ?? (() => true);
  const isGone = ({ id, level }: Entry) => id === pod.id || !exists(id, level);
  for (const name of readdirSync(root)) {
    const hook = join(root, name);
    for (const lane of lanesOf(hook)) leave(lane, isGone);
    removeIfEmpty(hook);
  }
}

/** Takes pods out of a lane, and the dispatcher off its hook when nobody is left. */
function leave(lane: string, isGone: (entry: Entry) => boolean): void {
  if (withMaps(lane, (maps) => removeEntries(maps, isGone)) > 0) return;
  removeLane(lane);
  removeIfEmpty(dirname(lane));
}
