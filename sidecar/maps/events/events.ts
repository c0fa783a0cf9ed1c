import type { BpfMap } from '../../libbpf/object.ts';
import { MapType } from '../../libbpf/types.ts';
import type { MapEntries } from '../entries.ts';
import { openPerfBuffer } from './perf-buffer.ts';
import { openRingBuffer } from './ring-buffer.ts';
import type { EventSource } from './source.ts';
import { createTally, type Forgetting } from './tally.ts';

const openers: Record<number, (map: BpfMap) => EventSource> = {
  [MapType.ringBuffer]: openRingBuffer,
  [MapType.perfEventArray]: openPerfBuffer,
};

/** Milliseconds between two looks at a buffer: often when it fills, seldom when it does not. */
const pauses = { min: 5, max: 250 };
/** Fuller than this, it is looked at twice as often from now on. */
const halfFull = 0.25;

/** The events of a buffer, counted by what they are. */
export interface EventReader {
  read(): MapEntries;
  /** Events that are in no entry, also those that the kernel had no room for, as far as it tells. */
  dropped(): number;
  close(): void;
}

/** Whether programs write events to a map instead of counting in it. */
export function holdsEvents(map: BpfMap): boolean {
  return map.type in openers;
}

/**
 * Reads the events of a map from now on, by a timer and at each scrape: no event wakes the process. `keySize` is how
 * many bytes of an event tell it from others.
 */
export function readEvents(map: BpfMap, keySize: number, forgetting: Forgetting): EventReader {
  const source = openers[map.type]!(map);
  const tally = createTally(keySize, forgetting);
  let lost = 0;
  let pause: number = pauses.min;
  let timer: NodeJS.Timeout;

  function drain(): void {
    const drained = source.drain(tally.add);
    lost += drained.lost;
    pause = drained.fill > halfFull ? pause / 2 : pause * 2;
    pause = Math.min(pauses.max, Math.max(pauses.min, pause));
  }
  function schedule(): void {
    timer = setTimeout(() => {
      drain();
      schedule();
    }, pause);
    timer.unref();
  }

  schedule();
  return {
    read() {
      drain();
      return tally.read();
    },
    dropped: () => lost + tally.dropped(),
    close() {
      clearTimeout(timer);
      source.close();
    },
  };
}
