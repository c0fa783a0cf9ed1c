import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compileProgram } from '../../../scripts/bpf/compile-program.ts';
import { updateElement } from '../../../sidecar/libbpf/map.ts';
import { closeObject, findMap, loadObject, mapFd, openObject } from '../../../sidecar/libbpf/object.ts';
import { canFold, foldDeparted } from '../../../sidecar/maps/departed.ts';
import type { MapEntries } from '../../../sidecar/maps/entries.ts';
import { createTally } from '../../../sidecar/maps/events/tally.ts';
import { createMapReader } from '../../../sidecar/maps/read.ts';
import { addNumbers, withoutParts } from '../../../sidecar/maps/sums.ts';
import { u64 } from '../series/entries.ts';

const map = (name: string, type: string) =>
  `struct { __uint(type, BPF_MAP_TYPE_${type}); __uint(max_entries, 100); __type(key, struct key); __type(value, struct value); } ${name} SEC(".maps");`;
const types = ['HASH', 'LRU_HASH', 'PERCPU_HASH', 'LRU_PERCPU_HASH'];
const code = `
#include "kernel.bpf.h"
struct key { __u32 call; __u32 padding; __u64 container; };
struct value { __u64 calls; __u64 time; };
${types.map((type) => map(type.toLowerCase(), type)).join('\n')}
struct narrow { __u32 calls; __u16 errors; __s8 balance; };
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 16); __type(key, __u64); __type(value, struct narrow); } narrow SEC(".maps");
struct inner { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 16); __type(key, __u64); __type(value, __u64); };
struct inner inner_a SEC(".maps"), inner_b SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); __uint(max_entries, 4); __type(key, __u32); __array(values, struct inner); }
    outer SEC(".maps") = { .values = { [0] = &inner_a, [3] = &inner_b } };
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); } array SEC(".maps");
SEC("raw_tp") int unused(void *ctx) { return 0; }
`;

const departed = 2n ** 63n;
/** 32-bit ids and one that no double can hold. */
const large = 2n ** 60n + 1n;

/** `call@container` -> calls and time, all copies of a value added up. */
function contents(entries: MapEntries): Record<string, [bigint, bigint]> {
  const { count, keys, values, keySize, valueSize, copies } = entries;
  const found: Record<string, [bigint, bigint]> = {};
  for (let entry = 0; entry < count; entry++) {
    const key = `${keys.readUInt32LE(entry * keySize)}@${keys.readBigUInt64LE(entry * keySize + 8)}`;
    assert.ok(!(key in found), `${key} is there twice`);
    found[key] = [0n, 0n];
    for (let copy = 0; copy < copies; copy++) {
      const at = (entry * copies + copy) * valueSize;
      found[key][0] += values.readBigUInt64LE(at);
      found[key][1] += values.readBigUInt64LE(at + 8);
    }
  }
  return found;
}

describe('entries of containers that are gone', async () => {
  const elf = await compileProgram(code);
  for (const type of types)
    test(`are taken out of a ${type} and added up by container`, (t) => {
      const object = openObject('maps', elf);
      t.after(() => closeObject(object));
      loadObject(object);
      const counters = findMap(object, type.toLowerCase());
      assert.ok(canFold(counters, 8));
      const readMap = createMapReader(counters);
      const { copies } = readMap();
      const count = (call: number, container: bigint, calls: bigint, time: bigint) => {
        const key = Buffer.alloc(16);
        key.writeUInt32LE(call, 0);
        key.writeBigUInt64LE(container, 8);
        const value = Buffer.alloc(16 * copies);
        // On the last CPU, where there are several.
        value.writeBigUInt64LE(calls, 16 * (copies - 1));
        value.writeBigUInt64LE(time, 16 * (copies - 1) + 8);
        updateElement(mapFd(counters), key, value);
      };
      const gone = new Set<bigint>();
      const read = foldDeparted(readMap, counters, {
        idOffset: 8,
        numbers: [
          { offset: 0, size: 8 },
          { offset: 8, size: 8 },
        ],
        lifetimes: {
          isGone: (id) => gone.has(id),
          departedId: (id) => (id === 7n ? departed + 1n : departed),
        },
      });

      count(1, 5n, 10n, 100n);
      count(2, 5n, 20n, 2n ** 32n - 1n);
      count(1, 6n, 1n, 1n);
      count(1, 7n, 3n, 3n);
      count(1, large, 4n, 4n);
      assert.equal(Object.keys(contents(read())).length, 5);
      assert.equal(read().departed, undefined);

      for (const id of [5n, 7n, large]) gone.add(id);
      const expected = {
        '1@6': [1n, 1n],
        [`1@${departed}`]: [14n, 104n],
        [`2@${departed}`]: [20n, 2n ** 32n - 1n],
        [`1@${departed + 1n}`]: [3n, 3n],
      };
      const after = read();
      assert.deepEqual(contents(after), expected);
      assert.equal(after.departed, 3);
      assert.deepEqual(contents(readMap()), { '1@6': [1n, 1n] }, 'their space is free');

      // The last of its sockets, or the next container of that name.
      count(2, 5n, 1n, 1n);
      assert.deepEqual(contents(read()), { ...expected, [`2@${departed}`]: [21n, 2n ** 32n] });
    });

  test('are added up number by number, and go on in a further entry where one of these is full', (t) => {
    const object = openObject('maps', elf);
    t.after(() => closeObject(object));
    loadObject(object);
    const map = findMap(object, 'narrow');
    const readMap = createMapReader(map);
    const read = foldDeparted(readMap, map, {
      idOffset: 0,
      numbers: [
        { offset: 0, size: 4 },
        { offset: 4, size: 2 },
        { offset: 6, size: 1, signed: true },
      ],
      lifetimes: { isGone: (id) => id < departed, departedId: () => departed },
    });
    const totals = { calls: 0, errors: 0, balance: 0 };
    // As many as there have been, however small the map is.
    for (let container = 1; container <= 400; container++) {
      const value = Buffer.alloc(8);
      value.writeUInt32LE(2 ** 31 - container, 0);
      value.writeUInt16LE(container, 4);
      value.writeInt8(container % 2 === 0 ? 1 : -2, 6);
      totals.calls += 2 ** 31 - container;
      totals.errors += container;
      totals.balance += container % 2 === 0 ? 1 : -2;
      updateElement(mapFd(map), u64(BigInt(container)), value);
      const { count, keys, values } = read();
      const sums = { calls: 0, errors: 0, balance: 0 };
      for (let entry = 0; entry < count; entry++) {
        assert.equal(keys.readBigUInt64LE(entry * 8), departed);
        sums.calls += values.readUInt32LE(entry * 8);
        sums.errors += values.readUInt16LE(entry * 8 + 4);
        sums.balance += values.readInt8(entry * 8 + 6);
      }
      assert.deepEqual(sums, totals);
      assert.equal(readMap().count, 0);
    }
  });

  test('are taken out of the maps in a map of maps', (t) => {
    const object = openObject('maps', elf);
    t.after(() => closeObject(object));
    loadObject(object);
    const outer = findMap(object, 'outer');
    assert.ok(canFold(outer, 4));
    assert.equal(canFold(outer, 0), false);
    const readMap = createMapReader(outer);
    const gone = new Set<bigint>();
    const read = foldDeparted(readMap, outer, {
      idOffset: 4,
      numbers: [{ offset: 0, size: 8 }],
      lifetimes: { isGone: (id) => gone.has(id), departedId: () => departed },
    });
    const found = (entries: MapEntries) =>
      Object.fromEntries(
        Array.from({ length: entries.count }, (_, entry) => [
          `${entries.keys.readUInt32LE(entry * 12)}@${entries.keys.readBigUInt64LE(entry * 12 + 4)}`,
          Number(entries.values.readBigUInt64LE(entry * 8)),
        ]),
      );
    for (const [inner, id, count] of [
      ['inner_a', 5n, 1n],
      ['inner_a', 6n, 2n],
      ['inner_a', 7n, 3n],
      ['inner_b', 5n, 10n],
    ] as const)
      updateElement(mapFd(findMap(object, inner)), u64(id), u64(count));
    gone.add(5n).add(6n);
    const expected = { '0@7': 3, [`0@${departed}`]: 3, [`3@${departed}`]: 10 };
    assert.deepEqual(found(read()), expected);
    assert.deepEqual(found(readMap()), { '0@7': 3 }, 'their space is free');
    assert.deepEqual(found(read()), expected);
  });

  test('are one entry of a tally of events', () => {
    const gone = new Set<bigint>();
    let time = 0;
    const lifetimes = {
      isGone: (id: bigint) => gone.has(id),
      departedId: (id: bigint) => (id === 7n ? departed + 1n : departed),
    };
    const tally = createTally(9, { after: 1000, departures: { idOffset: 1, lifetimes } }, () => time);
    const add = (kind: number, id: bigint) => tally.add(Buffer.concat([Buffer.of(kind), u64(id)]), 0, 9);
    const found = () => {
      const { count, keys, values } = tally.read();
      return Object.fromEntries(
        Array.from({ length: count }, (_, entry) => [
          `${keys[entry * 9]}@${keys.readBigUInt64LE(entry * 9 + 1)}`,
          Number(values.readBigUInt64LE(entry * 8)),
        ]),
      );
    };
    for (const id of [5n, 5n, 6n, 7n, 8n, large]) add(1, id);
    add(2, 5n);
    assert.equal(tally.read().departed, undefined);
    for (const id of [5n, 6n, 7n, large]) gone.add(id);
    const expected = { '1@8': 1, [`1@${departed}`]: 4, [`1@${departed + 1n}`]: 1, [`2@${departed}`]: 1 };
    assert.deepEqual(found(), expected);
    assert.equal(tally.read().departed, 3);
    // What was still in the buffer when its container went.
    add(1, 6n);
    assert.deepEqual(found(), { ...expected, [`1@${departed}`]: 5 });
    time = 1001;
    add(1, 5n);
    assert.deepEqual(found(), { [`1@${departed}`]: 6 }, 'what has not come for a while goes');
    // More containers than a tally has room for.
    for (let id = 100n; id < 15_100n; id++) {
      gone.add(id);
      add(1, id);
      if (id % 5000n === 0n) tally.read();
    }
    assert.deepEqual(found(), { [`1@${departed}`]: 15_006 });
    assert.equal(tally.dropped(), 0);
  });

  test('stay in a map that does not let go of entries', (t) => {
    const object = openObject('maps', elf);
    t.after(() => closeObject(object));
    assert.equal(canFold(findMap(object, 'array'), 0), false);
  });
});

describe('numbers that are added up', () => {
  test('are added once, also when two metrics read them in different ways', () => {
    const whole = { offset: 0, size: 8 };
    const numbers = withoutParts([{ offset: 4, size: 4 }, whole, { offset: 8, size: 4 }, { ...whole }]);
    assert.deepEqual(numbers, [whole, { offset: 8, size: 4 }]);
  });

  test('stay as they are where one of them would not fit', () => {
    const sum = Buffer.from([1, 0xff]);
    const numbers = [
      { offset: 0, size: 1 },
      { offset: 1, size: 1 },
    ];
    assert.equal(addNumbers(sum, Buffer.from([1, 1]), numbers, 2), false);
    assert.deepEqual([...sum], [1, 0xff]);
    assert.equal(addNumbers(sum, Buffer.from([1, 0]), numbers, 2), true);
    assert.deepEqual([...sum], [2, 0xff]);
  });
});
