import type { Frame, Stack } from './stacks.ts';

/** The stacks of a whole profile: each once, its frames by number. */
export interface Tally {
  frames: readonly Frame[];
  stacks: readonly TalliedStack[];
  /** Samples that were too many different ones. */
  omitted: number;
}

export interface TalliedStack {
  container: string;
  command: string;
  samples: number;
  /** Indices of frames, innermost first. */
  frames: readonly number[];
}

/** Adds stacks up, at most `room` different ones. `containerName` is asked at once: it may be gone later. */
export function createTally(
  containerName: (id: bigint) => string,
  room: number,
): { add(stacks: Iterable<Stack>): void; result(): Tally } {
  const frames: Frame[] = [];
  const numbers = new Map<string, number>();
  const stacks = new Map<string, TalliedStack>();
  let omitted = 0;

  function numberOf(frame: Frame): number {
    const name =
      frame.kind === 'file' ? `${frame.buildId}+${frame.offset}` : `${frame.kind} ${frame.address}`;
    let number = numbers.get(name);
    if (number === undefined) {
      number = frames.push(frame) - 1;
      numbers.set(name, number);
    }
    return number;
  }

  return {
    add(some) {
      for (const { container: id, command, samples, frames: ofStack } of some) {
        const container = containerName(id);
        if (stacks.size === room) {
          omitted += samples;
          continue;
        }
        const indices = ofStack.map(numberOf);
        const name = JSON.stringify([container, command, ...indices]);
        const known = stacks.get(name);
        if (known) known.samples += samples;
        else stacks.set(name, { container, command, samples, frames: indices });
      }
    },
    result: () => ({ frames, stacks: [...stacks.values()], omitted }),
  };
}
