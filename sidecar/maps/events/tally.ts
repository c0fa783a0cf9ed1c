import type { Departures, Lifetimes } from '../departed.ts';
import type { MapEntries } from '../entries.ts';

/** Distinct events that are kept apart; the series of a family are bounded too. */
const maxKeys = 10_000;
const initialCapacity = 64;
const countSize = 8;
const idSize = 8;

/** How often each event came, as if a program had counted them in a map: its bytes are the key. */
export interface Tally {
  /** Counts what is in a buffer from `start` to `end`; only the first `keySize` bytes tell events apart. */
  add(buffer: Buffer, start: number, end: number): void;
  read(): MapEntries;
  /** Events that are not in the entries: too short, or one more kind than there is room for. */
  dropped(): number;
}

/** How events of one kind are counted. */
interface Entry {
  count: number;
  /** The count when it was last looked at, and the time at which it had grown. */
  seen: number;
  last: number;
}

/** For which events a tally has no place. */
export interface Forgetting {
  /** Milliseconds without a further event of its kind after which an entry goes; without it all are kept for good. */
  after?: number | undefined;
  /** Where in an event the cgroup id is: those of containers that are gone are counted together, by their name. */
  departures?: Pick<Departures, 'idOffset' | 'lifetimes'> | undefined;
}

export function createTally(
  keySize: number,
  { after, departures }: Forgetting = {},
  now = performance.now.bind(performance),
): Tally {
  const counts = new Map<string, Entry>();
  /** Of containers that are gone. */
  const departed = new Map<string, Entry>();
  let dropped = 0;
  let keys = Buffer.alloc(initialCapacity * keySize);
  let values = Buffer.alloc(initialCapacity * countSize);

  function fold(): void {
    if (departures === undefined) return;
    const { idOffset, lifetimes } = departures;
    /** By the bytes of an id, those of the id in its place, where it is gone. */
    const replacements = new Map<string, string | undefined>();
    for (const [key, entry] of counts) {
      const id = key.slice(idOffset, idOffset + idSize);
      if (!replacements.has(id)) replacements.set(id, replacementOf(id, lifetimes));
      const replacement = replacements.get(id);
      if (replacement === undefined) continue;
      counts.delete(key);
      const name = key.slice(0, idOffset) + replacement + key.slice(idOffset + idSize);
      const before = departed.get(name);
      departed.set(name, before === undefined ? entry : together(before, entry));
    }
  }

  function forget(entries: Map<string, Entry>): void {
    if (after === undefined) return;
    const time = now();
    for (const [key, entry] of entries) {
      if (entry.seen !== entry.count) {
        entry.seen = entry.count;
        entry.last = time;
      } else if (time - entry.last > after) entries.delete(key);
    }
  }

  return {
    add(buffer, start, end) {
      if (end - start < keySize) {
        dropped++;
        return;
      }
      const key = buffer.toString('latin1', start, start + keySize);
      const entry = counts.get(key);
      if (entry !== undefined) entry.count++;
      else if (counts.size + departed.size < maxKeys) counts.set(key, { count: 1, seen: 0, last: 0 });
      else dropped++;
    },
    read() {
      fold();
      forget(counts);
      forget(departed);
      const count = counts.size + departed.size;
      while (keys.length < count * keySize) {
        keys = Buffer.alloc(2 * keys.length);
        values = Buffer.alloc(2 * values.length);
      }
      let index = 0;
      for (const entries of [counts, departed])
        for (const [key, entry] of entries) {
          keys.write(key, index * keySize, 'latin1');
          values.writeBigUInt64LE(BigInt(entry.count), index * countSize);
          index++;
        }
      return {
        count,
        keys,
        values,
        keySize,
        valueSize: countSize,
        copies: 1,
        ...(departed.size > 0 && { departed: departed.size }),
      };
    },
    dropped: () => dropped,
  };
}

function together(a: Entry, b: Entry): Entry {
  return { count: a.count + b.count, seen: a.seen + b.seen, last: Math.max(a.last, b.last) };
}

/** Undefined for a cgroup that is there. */
function replacementOf(id: string, { isGone, departedId }: Lifetimes): string | undefined {
  const bytes = Buffer.from(id, 'latin1');
  const number = bytes.readBigUInt64LE();
  if (!isGone(number)) return undefined;
  bytes.writeBigUInt64LE(departedId(number));
  return bytes.toString('latin1');
}
