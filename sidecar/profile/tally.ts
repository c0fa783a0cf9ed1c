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

/** Different ones that there may be; the frames of the last stack may be more. */
export interface Room {
  stacks: number;
  frames: number;
}

/** Adds stacks up, as far as there is room. `containerName` is asked at once: it may be gone later. */
export function createTally(
  containerName: (id: bigint) => string,
  room: Room,
): { add(stack: Stack): void; result(): Tally } {
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
    add({ container: id, command, samples, frames: ofStack }) {
      const container = containerName(id);
      const isFull = stacks.size >= room.stacks || frames.length >= room.frames;
      const find = isFull ? (frame: Frame) => numbers.get(nameOf(frame)) : numberOf;
      const indices = ofStack.map(find);
      const name = JSON.stringify([container, command, ...indices]);
      const known = stacks.get(name);
      if (known) known.samples += samples;
      else if (isFull) omitted += samples;
      else stacks.set(name, { container, command, samples, frames: indices as number[] });
    },
    result: () => ({ frames, stacks: [...stacks.values()], omitted }),
  };
}

function nameOf(frame: Frame): string {
  return frame.kind === 'file' ? `${frame.buildId}+${frame.offset}` : `${frame.kind} ${frame.address}`;
}
