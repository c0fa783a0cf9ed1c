import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { compileProgram } from '../../../scripts/bpf/compile-program.ts';
import { deleteElement, updateElement } from '../../../sidecar/libbpf/map.ts';
import { closeObject, findMap, loadObject, mapFd, openObject } from '../../../sidecar/libbpf/object.ts';
import { runProgram } from '../../../sidecar/libbpf/run.ts';
import type { MapEntries } from '../../../sidecar/maps/entries.ts';
import { createMapReader, sizesOf } from '../../../sidecar/maps/read.ts';
import { readByWalk } from '../../../sidecar/maps/walk.ts';
import { u32, u64 } from '../series/entries.ts';

const map = (name: string, type: string, entries: number, key = '__u32') =>
  `struct { __uint(type, BPF_MAP_TYPE_${type}); __uint(max_entries, ${entries}); __type(key, ${key}); __type(value, __u64); } ${name} SEC(".maps");`;

const hashes = ['HASH', 'LRU_HASH', 'PERCPU_HASH', 'LRU_PERCPU_HASH'];
const all = [...hashes, 'ARRAY', 'PERCPU_ARRAY'];
const code = `
#include "kernel.bpf.h"
struct prefix { __u32 bits; __u8 address[20]; };
struct inner { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 100); __type(key, __u32); __type(value, __u64); };
struct inner inner_a SEC(".maps"), inner_b SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); __uint(max_entries, 3); __type(key, __u32); __array(values, struct inner); }
    array_of_maps SEC(".maps") = { .values = { [0] = &inner_a, [2] = &inner_b } };
struct { __uint(type, BPF_MAP_TYPE_HASH_OF_MAPS); __uint(max_entries, 3); __type(key, __u64); __array(values, struct inner); }
    hash_of_maps SEC(".maps");
${all.map((type) => map(type.toLowerCase(), type, 3000)).join('\n')}
struct { __uint(type, BPF_MAP_TYPE_LPM_TRIE); __uint(max_entries, 3000); __uint(map_flags, 1); __type(key, struct prefix); __type(value, __u64); } lpm_trie SEC(".maps");
${map('empty', 'HASH', 10)}
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } ring SEC(".maps");
/* Writes key * 3 into each map, from one CPU. */
SEC("raw_tp") int fill(void *ctx) {
    for (int i = 0; i < 2500; i++) {
        __u32 key = i;
        __u64 value = i * 3;
        ${all.map((type) => `bpf_map_update_elem(&${type.toLowerCase()}, &key, &value, BPF_ANY);`).join('\n        ')}
    }
    return 0;
}
`;

describe('a map reader', async () => {
  const object = openObject('maps', await compileProgram(code));
  after(() => closeObject(object));
  loadObject(object);
  runProgram(object.programs[0]!);
  const find = (name: string) => findMap(object, name);

  for (const type of hashes)
    test(`gives each entry of a ${type} once, copies added up`, () => {
      const values = valuesOf(createMapReader(find(type.toLowerCase()))());
      assert.equal(values.size, 2500);
      for (const [key, value] of values) assert.equal(value, key * 3);
    });

  for (const type of ['ARRAY', 'PERCPU_ARRAY'])
    test(`gives all of a ${type}, unset elements as zero`, () => {
      const values = valuesOf(createMapReader(find(type.toLowerCase()))());
      assert.equal(values.size, 3000);
      for (const [key, value] of values) assert.equal(value, key < 2500 ? key * 3 : 0);
    });

  for (const type of all)
    test(`gives the same of a ${type} key by key, as on a kernel without batches`, () => {
      const subject = find(type.toLowerCase());
      const batch = createMapReader(subject)();
      const { keySize, valueSize, copies } = batch;
      const shape = { fd: mapFd(subject), keySize, valueSize, copies, maxEntries: subject.maxEntries };
      assert.deepEqual(sorted(readByWalk(shape)()), sorted(batch));
    });

  test('gives each prefix of an LPM trie, whose keys are longer than other positions', () => {
    const trie = find('lpm_trie');
    for (let i = 0; i < 2500; i++) {
      const key = Buffer.alloc(24);
      key.writeUInt32LE(160, 0);
      key.writeUInt32BE(i, 4);
      updateElement(mapFd(trie), key, u64(i * 3));
    }
    const { count, keys, values, keySize } = createMapReader(trie)();
    assert.equal(count, 2500);
    const seen = new Set<number>();
    for (let i = 0; i < count; i++) {
      const key = keys.readUInt32BE(i * keySize + 4);
      seen.add(key);
      assert.equal(values.readUInt32LE(i * 8), key * 3);
    }
    assert.equal(seen.size, 2500);
  });

  test('gives the entries of the maps in an array of maps, behind the index of their map', () => {
    const outer = find('array_of_maps');
    updateElement(mapFd(find('inner_a')), u32(7), u64(70));
    updateElement(mapFd(find('inner_b')), u32(8), u64(80));
    updateElement(mapFd(find('inner_b')), u32(9), u64(90));
    assert.deepEqual(sizesOf(outer), { keySize: 8, valueSize: 8 });
    assert.deepEqual(sorted(createMapReader(outer)()), [
      ['0000000007000000', '4600000000000000'],
      ['0200000008000000', '5000000000000000'],
      ['0200000009000000', '5a00000000000000'],
    ]);
  });

  test('follows the maps of a hash of maps as they are put in and taken out', () => {
    const outer = find('hash_of_maps');
    const read = createMapReader(outer);
    assert.equal(read().count, 0);
    const [a, b] = [find('inner_a'), find('inner_b')];
    updateElement(mapFd(outer), u64(1), u32(mapFd(a)));
    updateElement(mapFd(outer), u64(2), u32(mapFd(b)));
    assert.equal(read().count, 3);
    deleteElement(mapFd(outer), u64(2));
    assert.deepEqual(sorted(read()), [['010000000000000007000000', '4600000000000000']]);
  });

  test('gives what is new at each read, and nothing of an empty map', () => {
    const empty = find('empty');
    const read = createMapReader(empty);
    assert.equal(read().count, 0);
    updateElement(mapFd(empty), u32(5), u64(15));
    assert.deepEqual([...valuesOf(read())], [[5, 15]]);
  });

  test('refuses a map without keys, by name', () => {
    assert.throws(() => createMapReader(find('ring')), /map ring is of type 27, which cannot be read/);
  });
});

/** Key and value of each entry, in hexadecimal. */
function sorted({ count, keys, values, keySize, valueSize, copies }: MapEntries): string[][] {
  const stride = valueSize * copies;
  return Array.from({ length: count }, (_, i) => [
    keys.toString('hex', i * keySize, (i + 1) * keySize),
    values.toString('hex', i * stride, (i + 1) * stride),
  ]).sort(([a], [b]) => (a! < b! ? -1 : 1));
}

/** Key -> sum of its copies; fails when a key comes twice. */
function valuesOf({ count, keys, values, keySize, valueSize, copies }: MapEntries): Map<number, number> {
  const sums = new Map<number, number>();
  for (let i = 0; i < count; i++) {
    const key = keys.readUInt32LE(i * keySize);
    assert.ok(!sums.has(key), `key ${key} came twice`);
    let sum = 0;
    for (let copy = 0; copy < copies; copy++)
      sum += Number(values.readBigUInt64LE((i * copies + copy) * valueSize));
    sums.set(key, sum);
  }
  return sums;
}
