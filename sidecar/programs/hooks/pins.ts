import { closeSync, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { BpfError } from '../../libbpf/error.ts';
import { openPinned, pin } from '../../libbpf/pin.ts';
import { subdirectories } from '../../pod/cgroups.ts';
import { removeIfEmpty } from './directories.ts';
import type { Dispatcher } from './hooks.ts';
import type { Lane } from './lane.ts';

/** The pins of a lane. Without one of them it is none, but what is left of one. */
const pinnedMaps = ['pods', 'programs', 'variables'] as const;
const pinnedLink = 'link';
/** The dispatcher itself, for its statistics. */
const pinnedProgram = 'program';
/** The link goes first, and the dispatcher is off its hook. */
const allPins = [pinnedLink, pinnedProgram, ...pinnedMaps];

/**
 * Pins a dispatcher at work, which may then be closed, as the next lane of a hook; `unfinished` is a path for what
 * is not one yet. Gives the lane, or undefined when the dispatcher's link is none of the kernel's, or of a kind that
 * cannot be pinned. Throws where nothing can be pinned.
 */
export function pinLane(dispatcher: Dispatcher, unfinished: string, hook: string): string | undefined {
  const { fd: link } = dispatcher.link;
  if (link === undefined) return undefined;
  removeLane(unfinished);
  mkdirSync(unfinished);
  try {
    for (const [name, fd] of Object.entries(dispatcher.maps)) pin(fd, join(unfinished, name));
    pin(dispatcher.program, join(unfinished, pinnedProgram));
    pin(link, join(unfinished, pinnedLink));
    const taken = new Set(subdirectories(hook));
    let number = 0;
    while (taken.has(String(number))) number++;
    const lane = join(hook, String(number));
    mkdirSync(hook, { recursive: true, mode: 0o700 });
    renameSync(unfinished, lane);
    return lane;
  } catch (error) {
    removeLane(unfinished);
    if (error instanceof BpfError && error.code === 'EINVAL') return undefined;
    throw error;
  }
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
  return allPins.every((name) => existsSync(join(path, name)));
}

export function removeLane(lane: string): void {
  for (const name of allPins) rmSync(join(lane, name), { force: true });
  removeIfEmpty(lane);
}

/** A lane that stays at work also when somebody removes the pins. */
export interface HeldLane {
  path: string;
  /** The descriptor of the dispatcher. */
  program: number;
  /** Whether its pins are still there: when somebody has removed them, another lane may have got its path. */
  isPinned(): boolean;
  release(): void;
}

/**
 * Holds the link, and the programs, which the kernel takes out of a table that no descriptor and no pin refers to.
 */
export function holdLane(path: string): HeldLane {
  const inode = () => statSync(join(path, pinnedLink), { throwIfNoEntry: false })?.ino;
  const held = inode();
  const fds = openPins(path, [pinnedProgram, pinnedLink, 'programs']);
  return {
    path,
    program: fds[0]!,
    isPinned: () => isLane(path) && inode() === held,
    release: () => fds.forEach(closeSync),
  };
}

/** Opens the maps of a lane for an action. */
export function withMaps<T>(lane: string, action: (maps: Lane) => T): T {
  const fds = openPins(lane, pinnedMaps);
  const [pods, programs, variables] = fds as [number, number, number];
  try {
    return action({ pods, programs, variables });
  } finally {
    fds.forEach(closeSync);
  }
}

/** All of them or, with an error, none. */
function openPins(lane: string, names: readonly string[]): number[] {
  const fds: number[] = [];
  try {
    for (const name of names) fds.push(openPinned(join(lane, name)));
    return fds;
  } catch (error) {
    fds.forEach(closeSync);
    throw error;
  }
}
