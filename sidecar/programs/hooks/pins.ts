import { closeSync, existsSync, mkdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BpfError } from '../../libbpf/error.ts';
import { openPinned, pin } from '../../libbpf/pin.ts';
import { subdirectories } from '../../pod/cgroups.ts';
import { type Dispatcher, laneOf } from './hooks.ts';
import type { Lane } from './lane.ts';

/** The pins of a lane. Without the link it is none, but what is left of one. */
const pinnedMaps = ['pods', 'programs', 'variables'] as const;
const pinnedLink = 'link';

/**
 * Pins a dispatcher at work, which may then be closed, as the next lane of a hook; `unfinished` is a path for what
 * is not one yet. Gives the lane, or undefined when the dispatcher's link is none of the kernel's, or of a kind that cannot be pinned.
 */
export function pinLane(dispatcher: Dispatcher, unfinished: string, hook: string): string | undefined {
  const { fd: link } = dispatcher.link;
  if (link === undefined) return undefined;
  removeLane(unfinished);
  mkdirSync(unfinished);
  try {
    for (const [name, fd] of Object.entries(laneOf(dispatcher))) pin(fd, join(unfinished, name));
    pin(link, join(unfinished, pinnedLink));
  } catch (error) {
    removeLane(unfinished);
    if (error instanceof BpfError && error.code === 'EINVAL') return undefined;
    throw error;
  }
  const taken = new Set(subdirectories(hook));
  let number = 0;
  while (taken.has(String(number))) number++;
  const lane = join(hook, String(number));
  mkdirSync(hook, { recursive: true, mode: 0o700 });
  renameSync(unfinished, lane);
  return lane;
}

/** The lanes of a hook. What is left of others is removed. */
export function lanesOf(hook: string): string[] {
  return subdirectories(hook)
    .map((name) => join(hook, name))
    .filter((lane) => {
      const atWork = isLane(lane);
      if (!atWork) removeLane(lane);
      return atWork;
    });
}

/** Whether a lane is there as a whole. */
export function isLane(path: string): boolean {
  return existsSync(join(path, pinnedLink));
}

/** The link goes first, and the dispatcher is off its hook. */
export function removeLane(lane: string): void {
  for (const name of [pinnedLink, ...pinnedMaps]) rmSync(join(lane, name), { force: true });
  removeIfEmpty(lane);
}

export function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Somebody is in it, or it is not there.
  }
}

/**
 * Keeps a lane at work also when somebody removes the pins: the link, and the programs, which the kernel takes out
 * of a table that no descriptor and no pin refers to. Returns what ends that.
 */
export function holdLane(lane: string): () => void {
  const fds = [pinnedLink, 'programs'].map((name) => openPinned(join(lane, name)));
  return () => fds.forEach(closeSync);
}

/** Opens the maps of a lane for an action. */
export function withMaps<T>(lane: string, action: (maps: Lane) => T): T {
  const fds: number[] = [];
  const open = (name: (typeof pinnedMaps)[number]) => {
    const fd = openPinned(join(lane, name));
    fds.push(fd);
    return fd;
  };
  try {
    return action({ pods: open('pods'), programs: open('programs'), variables: open('variables') });
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}
