import { closeSync, existsSync, mkdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BpfError } from '../../libbpf/error.ts';
import { openPinned, pin } from '../../libbpf/pin.ts';
import { subdirectories } from '../../pod/cgroups.ts';
import { type Dispatcher, laneOf, standIn } from './hooks.ts';
import type { Lane } from './lane.ts';

/** The pins of a lane. Without the link it is none, but what is left of one. */
const pinnedMaps = ['pods', 'programs', 'variables'] as const;
const pinnedLink = 'link';
/** The dispatcher itself, for its statistics. */
const pinnedProgram = 'program';

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
    pin(standIn(dispatcher), join(unfinished, pinnedProgram));
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
  for (const name of [pinnedLink, pinnedProgram, ...pinnedMaps]) rmSync(join(lane, name), { force: true });
  removeIfEmpty(lane);
}

export function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Somebody is in it, or it is not there.
  }
}

/** A lane that stays at work also when somebody removes the pins. */
export interface HeldLane {
  /** The descriptor of the dispatcher. */
  program: number;
  release(): void;
}

/**
 * Holds the link, and the programs, which the kernel takes out of a table that no descriptor and no pin refers to.
 */
export function holdLane(lane: string): HeldLane {
  const [program, ...others] = [pinnedProgram, pinnedLink, 'programs'].map((name) =>
    openPinned(join(lane, name)),
  ) as [number, ...number[]];
  return { program, release: () => [program, ...others].forEach(closeSync) };
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
