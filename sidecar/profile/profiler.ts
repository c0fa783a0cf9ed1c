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
/** Different stacks of a profile: some 20 MB while it is made. */
const maxStacks = 16_384;
/** Nanoseconds: what the kernel makes of the 99 Hz of bpf/profile.bpf.c. */
const period = Math.floor(1e9 / 99);

/** `enable` switches the events of the object's programs. Throws an Error when the object has not the maps for it. */
export function createProfiler(
  object: BpfObject,
  enable: (on: boolean) => void,
  { containerName, wantsContainer }: Pick<DecoderContext, 'containerName' | 'wantsContainer'>,
): Profiler {
  const stacks = findMap(object, 'stacks');
  const uncounted = findMap(object, 'uncounted');
  const closing = new AbortController();
  const lost = () => Number(lookupElement(mapFd(uncounted), Buffer.alloc(4), 8).readBigUInt64LE());

  return {
    async record(seconds, gone) {
      const ended = AbortSignal.any([closing.signal, gone]);
      // Made anew each time, so that its memory goes afterwards.
      const read = createMapReader(stacks);
      const tally = createTally(containerName, maxStacks);
      const lostBefore = lost();
      const drain = () => {
        const entries = read();
        tally.add(
          [...readStacks(entries)].filter(({ container }) => wantsContainer(containerName(container))),
        );
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
