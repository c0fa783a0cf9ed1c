/** Numbers by the bytes of a map's keys, in a few blocks of memory: as objects of V8 they would be six times as large. */
export interface KeyIndex {
  readonly size: number;
  /** The number of a key; undefined when it is not there. */
  get(keys: Buffer, start: number): number | undefined;
  /** Adds a key that is not there. */
  add(keys: Buffer, start: number, number: number): void;
}

const initialCapacity = 16;

/** `length` is the bytes of a key. Linear probing over a table that is at most half full. */
export function createKeyIndex(length: number): KeyIndex {
  let capacity = initialCapacity;
  let size = 0;
  /** The entry after the last that was asked for: a map gives its keys in the same order, as long as they stay. */
  let next = 0;
  let bytes = Buffer.alloc(capacity * length);
  let numbers = new Int32Array(capacity);
  /** Entries by hash, counted from 1. */
  let slots = new Int32Array(2 * capacity);

  /** Of the key's entry, or the empty one that it would have. */
  function slotOf(keys: Buffer, start: number): number {
    const mask = slots.length - 1;
    let slot = hash(keys, start, length) & mask;
    for (let entry = slots[slot]!; entry > 0; entry = slots[slot]!) {
      if (isSame(keys, start, (entry - 1) * length)) return slot;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  function isSame(keys: Buffer, start: number, at: number): boolean {
    for (let i = 0; i < length; i++) if (keys[start + i] !== bytes[at + i]) return false;
    return true;
  }

  function grow(): void {
    capacity *= 2;
    const [formerBytes, formerNumbers] = [bytes, numbers];
    bytes = Buffer.alloc(capacity * length);
    formerBytes.copy(bytes);
    numbers = new Int32Array(capacity);
    numbers.set(formerNumbers);
    slots = new Int32Array(2 * capacity);
    for (let entry = 0; entry < size; entry++) slots[slotOf(bytes, entry * length)] = entry + 1;
  }

  return {
    get size() {
      return size;
    },
    get(keys, start) {
      if (next === size) next = 0;
      if (next < size && isSame(keys, start, next * length)) return numbers[next++];
      const entry = slots[slotOf(keys, start)]!;
      if (entry === 0) return undefined;
      next = entry;
      return numbers[entry - 1];
    },
    add(keys, start, number) {
      if (size === capacity) grow();
      keys.copy(bytes, size * length, start, start + length);
      numbers[size] = number;
      slots[slotOf(keys, start)] = ++size;
    },
  };
}

/** FNV-1a, with the finish of murmur3: the low bits decide. Programs choose keys, and can only slow down their own pod. */
function hash(keys: Buffer, start: number, length: number): number {
  let mixed = 0x811c9dc5;
  for (let i = start; i < start + length; i++) mixed = Math.imul(mixed ^ keys[i]!, 0x01000193);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  return mixed ^ (mixed >>> 13);
}
