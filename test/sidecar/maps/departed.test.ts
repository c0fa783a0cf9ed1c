import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compileProgram } from '../../../scripts/bpf/compile-program.ts';
import { updateElement } from '../../../sidecar/libbpf/map.ts';
import { closeObject, findMap, loadObject, mapFd, openObject } from '../../../sidecar/libbpf/object.ts';
import { canFold, foldDeparted } from '../../../sidecar/maps/departed.ts';
import type { MapEntries } from '../../../sidecar/maps/entries.ts';
import { createMapReader } from '../../../sidecar/maps/read.ts';

const map = (name: string, type: string) =>
  `struct { __uint(type, BPF_MAP_TYPE_${type}); __uint(max_entries, 100); __type(key, struct key); __type(value, struct value); } ${name} SEC(".maps");`;
const types = ['HASH', 'LRU_HASH', 'PERCPU_HASH', 'LRU_PERCPU_HASH'];
const code = `
#include "kernel.bpf.h"
struct key { __u32 call; __u32 padding; __u64 container; };
struct value { __u64 calls; __u64 time; };
${types.map((type) => map(type.toLowerCase(), type)).join('\n')}
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
      assert.ok(canFold(counters));
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
      const read = foldDeparted(readMap, counters, 8, {
        isGone: (id) => gone.has(id),
        departedId: (id) => (id === 7n ? departed + 1n : departed),
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

  test('stay in a map that does not let go of entries', (t) => {
    const object = openObject('maps', elf);
    t.after(() => closeObject(object));
    assert.equal(canFold(findMap(object, 'array')), false);
  });
});
