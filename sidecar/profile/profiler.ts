import { setImmediate, setTimeout } from 'node:timers/promises';
import { deleteElement, lookupElement } from '../libbpf/map.ts';
import { type BpfObject, findMap, mapFd } from '../libbpf/object.ts';
import type { MapEntries } from '../maps/entries.ts';
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
/** Stacks after which others get their turn: some 5 ms where they are deep. */
const turn = 32;
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
      const uncountedSamples = () =>
        Number(lookupElement(mapFd(uncounted), Buffer.alloc(4), 8).readBigUInt64LE());
      // Made anew each time, so that its memory goes afterwards.
      const read = createMapReader(stacks);
      const tally = createTally(containerName, room);
      const uncountedBefore = uncountedSamples();
      const take = () => {
        const entries = read();
        for (let index = 0; index < entries.count; index++)
          deleteElement(
            mapFd(stacks),
            entries.keys.subarray(index * entries.keySize, (index + 1) * entries.keySize),
          );
        return entries;
      };
      const count = async (entries: MapEntries) => {
        let counted = 0;
        // One after the other: all at once they would take several times the memory of the map.
        for (const stack of readStacks(entries)) {
          if (wantsContainer(containerName(stack.container))) tally.add(stack);
          if (++counted % turn === 0) await setImmediate();
        }
      };

      const began = Date.now();
      const wanted = seconds * 1_000;
      let took = 0;
      let uncountedSince = 0;
      try {
        let before = take();
        while (took < wanted) {
          const since = performance.now();
          enable(true);
          const pause = Math.min(drainPause, wanted - took);
          await Promise.all([setTimeout(pause, undefined, { signal: ended }), count(before)]);
          // Between the end of the wait and here the maps may have been freed.
          ended.throwIfAborted();
          enable(false);
          took += performance.now() - since;
          before = take();
          uncountedSince = uncountedSamples() - uncountedBefore;
        }
        await count(before);
      } finally {
        if (!closing.signal.aborted) {
          enable(false);
          take();
        }
      }
      const result = tally.result();
      const missing = uncountedSince + result.omitted;
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
