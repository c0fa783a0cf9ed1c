import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { attempt } from '../../attempt.ts';
import type { Log } from '../../contract/log.ts';
import type { PodCgroup } from '../../pod/cgroups.ts';
import { createCgroupFinder } from '../../pod/living.ts';
import type { Attachment } from '../attach/family.ts';
import { removeIfEmpty, whyNoPins } from './directories.ts';
import { closeDispatcher, type Hooks, keepDispatcher, ownHooks } from './hooks.ts';
import { addEntry, type Entry, hasRoom, removeEntries } from './lane.ts';
import { lockDirectory } from './lock.ts';
import { directoryName } from './name.ts';
import { type HeldLane, holdLane, lanesOf, pinLane, removeLane, withMaps } from './pins.ts';

/**
 * The layout of what is pinned and of the maps in it. Sidecars with another one share nothing with those of this,
 * and work beside them.
 */
const protocol = 'v2';

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
 * what is left over goes when the next one changes anything. Where pins cannot be had every sidecar has its own
 * dispatchers.
 */
export function shareHooks(bpffs: string, pod: PodCgroup, log: Log, layout = protocol): Hooks {
  const reason = whyNoPins(bpffs);
  if (reason !== undefined) {
    log('info', 'dispatchers are not shared with other sidecars', { reason });
    return ownHooks;
  }
  const root = join(bpffs, 'bpf-sidecar', layout);
  /** For a lane that is being made; because of the lock there is one at most. */
  const unfinished = join(root, 'unfinished');
  /** Those that call programs of this process. */
  const joined = new Set<HeldLane>();
  let isLocked = false;

  async function lock(): Promise<(() => void) | Error> {
    // It may have been unmounted, or have become read-only.
    const problem = whyNoPins(bpffs);
    if (problem !== undefined) return new Error(problem);
    try {
      return (await lockDirectory(root)) ?? new Error(`another sidecar keeps ${root} locked`);
    } catch (error) {
      return error as Error;
    }
  }

  /** Has the dispatcher of a lane call a program. */
  function enter(path: string, podCgroup: PodCgroup, program: number): Attachment {
    let held: HeldLane;
    try {
      withMaps(path, (maps) => addEntry(maps, podCgroup, program));
      held = holdLane(path);
    } catch (error) {
      leave(path, ({ id }) => id === podCgroup.id);
      throw error;
    }
    joined.add(held);
    return {
      standIns: () => [held.program],
      detach() {
        joined.delete(held);
        // Without the lock it is left to who comes next, as if we had died.
        const left =
          isLocked && held.isPinned()
            ? attempt(() => leave(path, ({ id }) => id === podCgroup.id))
            : undefined;
        if (left instanceof Error)
          log('warn', 'a shared dispatcher cannot be left', { reason: left.message });
        held.release();
      },
    };
  }

  /** Takes out what a sidecar of this pod, or of a pod that is gone, has left behind. */
  function sweep(): void {
    if (existsSync(unfinished)) removeLane(unfinished);
    const exists = createCgroupFinder(pod) ?? (() => true);
    const own = new Set([...joined].filter((lane) => lane.isPinned()).map(({ path }) => path));
    for (const name of readdirSync(root)) {
      const hook = join(root, name);
      for (const lane of lanesOf(hook))
        leave(lane, ({ id, level }) => (id === pod.id ? !own.has(lane) : !exists(id, level)));
      removeIfEmpty(hook);
    }
  }

  return {
    async exclusively(action) {
      const unlock = await lock();
      if (unlock instanceof Error) {
        log('warn', 'dispatchers cannot be shared with other sidecars: going on without', {
          reason: unlock.message,
        });
        return action();
      }
      isLocked = true;
      try {
        const swept = attempt(sweep);
        if (swept instanceof Error)
          log('warn', 'what other sidecars left cannot be removed', { reason: swept.message });
        return action();
      } finally {
        isLocked = false;
        unlock();
      }
    },
    share(hook, start, podCgroup, program) {
      if (!isLocked) return ownHooks.share(hook, start, podCgroup, program);
      const directory = join(root, directoryName(hook));
      const lane = lanesOf(directory).find((path) => withMaps(path, (maps) => hasRoom(maps, podCgroup)));
      if (lane !== undefined) return enter(lane, podCgroup, program);
      const dispatcher = start();
      const pinned = attempt(() => pinLane(dispatcher, unfinished, directory));
      if (pinned instanceof Error)
        log('warn', 'a dispatcher cannot be shared with other sidecars', { hook, reason: pinned.message });
      if (pinned === undefined || pinned instanceof Error)
        return keepDispatcher(dispatcher, podCgroup, program);
      closeDispatcher(dispatcher);
      return enter(pinned, podCgroup, program);
    },
  };
}

/** Takes pods out of a lane, and the dispatcher off its hook when nobody is left. */
function leave(lane: string, isGone: (entry: Entry) => boolean): void {
  if (withMaps(lane, (maps) => removeEntries(maps, isGone)) > 0) return;
  removeLane(lane);
  removeIfEmpty(dirname(lane));
}
