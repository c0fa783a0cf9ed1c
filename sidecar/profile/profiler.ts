import { setTimeout } from 'node:timers/promises';
import { deleteElement, lookupElement } from '../libbpf/map.ts';
import { type BpfObject, findMap, mapFd } from '../libbpf/object.ts';
import { createMapReader } from '../maps/read.ts';
import type { DecoderContext } from '../series/decoders/decoder.ts';
import type { Recording } from './pprof.ts';
import { readStacks } from './stacks.ts';
import { createTally } from './tally.ts';

/** Takes samples while it is asked to, and only then. */
export interface Profiler {
  /**
   * Takes samples for so many seconds. Rejects when `gone` tells that nobody wants them any more, and when the probe is
   * closed. Not twice at once.
   */
  record(seconds: number, gone: AbortSignal): Promise<Recording>;
  close(): void;
}

/** Milliseconds after which the map is emptied, whose room is for what comes in that time. */
const drainPause = 1_000;
/** At their most some 10 MB while a profile is made; a busy minute has a few hundred stacks. */
const room = { stacks: 4_096, frames: 16_384 };
/** Nanoseconds: what the kernel makes of the 99 Hz of bpf/profile.bpf.c. */
const period = Math.floor(1e9 / 99);

/** `enable` switches the events of the object's programs, whose maps are those of bpf/profile.bpf.c. */
export function createProfiler(
  object: BpfObject,
  enable: (on: boolean) => void,
  { containerName, wantsContainer }: Pick<DecoderContext, 'containerName' | 'wantsContainer'>,
): Profiler {
  const closing = new AbortController();

  return {
    async record(seconds, gone) {
      const ended = AbortSignal.any([closing.signal, gone]);
      const stacks = findMap(object, 'stacks');
      const uncounted = findMap(object, 'uncounted');
      const lost = () => Number(lookupElement(mapFd(uncounted), Buffer.alloc(4), 8).readBigUInt64LE());
      // Made anew each time, so that its memory goes afterwards.
      const read = createMapReader(stacks);
      const tally = createTally(containerName, room);
      const lostBefore = lost();
      const drain = () => {
        const entries = read();
        // One after the other: all at once they would take several times the memory of the map.
        for (const stack of readStacks(entries))
          if (wantsContainer(containerName(stack.container))) tally.add(stack);
        for (let index = 0; index < entries.count; index++)
          deleteElement(
            mapFd(stacks),
            entries.keys.subarray(index * entries.keySize, (index + 1) * entries.keySize),
          );
      };

      const began = Date.now();
      let took = 0;
      try {
        while (took < seconds * 1_000) {
          const since = performance.now();
          enable(true);
          await setTimeout(Math.min(drainPause, seconds * 1_000 - took), undefined, { signal: ended });
          // Between the end of the wait and here the maps may have been freed.
          ended.throwIfAborted();
          enable(false);
          took += performance.now() - since;
          drain();
        }
      } finally {
        if (!closing.signal.aborted) {
          enable(false);
          drain();
        }
      }
      const result = tally.result();
      const missing = lost() - lostBefore + result.omitted;
      return {
        ...result,
        ...{ began, duration: Math.round(took * 1e6), period },
        comments:
          missing === 0 ? [] : [`${missing} samples are missing: there were too many different stacks`],
      };
    },
    close: () => closing.abort(),
  };
}
