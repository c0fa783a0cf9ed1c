import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { updateElement } from '../../../sidecar/libbpf/map.ts';
import { closeObject, findMap, loadObject, mapFd, openObject } from '../../../sidecar/libbpf/object.ts';
import { runProgram } from '../../../sidecar/libbpf/run.ts';
import type { MapEntries } from '../../../sidecar/maps/entries.ts';
import { createMapReader } from '../../../sidecar/maps/read.ts';
import { compileProgram } from '../../support/compile.ts';

const map = (name: string, type: string, entries: number) =>
  `struct { __uint(type, BPF_MAP_TYPE_${type}); __uint(max_entries, ${entries}); __type(key, __u32); __type(value, __u64); } ${name} SEC(".maps");`;

const hashes = ['HASH', 'LRU_HASH', 'PERCPU_HASH', 'LRU_PERCPU_HASH'];
const code = `
#include "kernel.bpf.h"
${[...hashes, 'ARRAY', 'PERCPU_ARRAY'].map((type) => map(type.toLowerCase(), type, 3000)).join('\n')}
${map('empty', 'HASH', 10)}
${map('ring', 'RINGBUF', 4096).replace('__type(key, __u32); __type(value, __u64);', '')}
/* Writes key * 3 into each map, from one CPU. */
SEC("raw_tp") int fill(void *ctx) {
    for (int i = 0; i < 2500; i++) {
        __u32 key = i;
        __u64 value = i * 3;
        ${[...hashes, 'ARRAY', 'PERCPU_ARRAY'].map((type) => `bpf_map_update_elem(&${type.toLowerCase()}, &key, &value, BPF_ANY);`).join('\n        ')}
    }
    return 0;
}
`;

describe('a map reader', async () => {
  const object = openObject('maps', await compileProgram(code));
  after(() => closeObject(object));
  loadObject(object);
  runProgram(object.programs[0]!);

  for (const type of hashes)
    test(`gives each entry of a ${type} once, copies added up`, () => {
      const values = valuesOf(createMapReader(findMap(object, type.toLowerCase()))());
      assert.equal(values.size, 2500);
      for (const [key, value] of values) assert.equal(value, key * 3);
    });

  for (const type of ['ARRAY', 'PERCPU_ARRAY'])
    test(`gives all of a ${type}, unset elements as zero`, () => {
      const values = valuesOf(createMapReader(findMap(object, type.toLowerCase()))());
      assert.equal(values.size, 3000);
      for (const [key, value] of values) assert.equal(value, key < 2500 ? key * 3 : 0);
    });

  test('gives nothing of an empty map, and what came since at the next read', () => {
    const empty = findMap(object, 'empty');
    const read = createMapReader(empty);
    assert.equal(read().count, 0);
    updateElement(mapFd(empty), Buffer.from([7, 0, 0, 0]), Buffer.from([42, 0, 0, 0, 0, 0, 0, 0]));
    assert.deepEqual([...valuesOf(read())], [[7, 42]]);
  });

  test('refuses a type that holds no entries', () => {
    assert.throws(
      () => createMapReader(findMap(object, 'ring')),
      /map ring is of type 27, which cannot be read/,
    );
  });
});

/** Key -> sum of its copies; fails when a key comes twice. */
function valuesOf({ count, keys, values, keySize, valueSize, copies }: MapEntries): Map<number, number> {
  const all = new Map<number, number>();
  for (let i = 0; i < count; i++) {
    const key = keys.readUInt32LE(i * keySize);
    assert.ok(!all.has(key), `key ${key} came twice`);
    let sum = 0;
    for (let copy = 0; copy < copies; copy++)
      sum += Number(values.readBigUInt64LE((i * copies + copy) * valueSize));
    all.set(key, sum);
  }
  return all;
}
