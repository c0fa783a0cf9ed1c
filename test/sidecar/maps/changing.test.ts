import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { compileProgram } from '../../../scripts/bpf/compile-program.ts';
import { deleteElement, possibleCpus, updateElement } from '../../../sidecar/libbpf/map.ts';
import {
  type BpfMap,
  type BpfObject,
  closeObject,
  findMap,
  loadObject,
  mapFd,
  openObject,
} from '../../../sidecar/libbpf/object.ts';
import { createMapReader, isPerCpuMap } from '../../../sidecar/maps/read.ts';
import { readByWalk } from '../../../sidecar/maps/walk.ts';
import { attachProgram } from '../../../sidecar/programs/attach.ts';
import { ownHooks } from '../../../sidecar/programs/hooks/hooks.ts';
import { barePodFor } from '../../support/bare-pod.ts';
import { u32, u64 } from '../series/entries.ts';

const stable = 200;
const maxEntries = 2000;

/** `change` makes or removes `key`. Each system call of the pod does so with some keys; those below 200 stay. */
const program = (maps: string, change: string) => `
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
struct prefix { __u32 bits; __u32 key; };
${maps}
static void change(void *map, void *key, __u64 value) {
    if (bpf_get_prandom_u32() & 1)
        bpf_map_update_elem(map, key, &value, BPF_ANY);
    else
        bpf_map_delete_elem(map, key);
}
SEC("raw_tp/sys_enter") int change_some(void *ctx) {
    for (int i = 0; i < 8; i++) {
        __u32 key = ${stable} + bpf_get_prandom_u32() % 1000;
        ${change}
    }
    return 0;
}
`;
const plain = (type: string) =>
  program(
    `struct { __uint(type, BPF_MAP_TYPE_${type}); __uint(max_entries, ${maxEntries}); __type(key, __u32); __type(value, __u64); } changing SEC(".maps");`,
    'change(&changing, &key, key);',
  );
const prefixes = program(
  `struct { __uint(type, BPF_MAP_TYPE_LPM_TRIE); __uint(max_entries, ${maxEntries}); __uint(map_flags, BPF_F_NO_PREALLOC); __type(key, struct prefix); __type(value, __u64); } changing SEC(".maps");`,
  'struct prefix prefix = {.bits = 32, .key = bpf_htonl(key)}; change(&changing, &prefix, key);',
);
const nested = program(
  `struct inner { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, ${maxEntries}); __type(key, __u32); __type(value, __u64); };
struct inner inner_a SEC(".maps"), inner_b SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH_OF_MAPS); __uint(max_entries, 4); __type(key, __u32); __array(values, struct inner); } changing SEC(".maps");`,
  'change(&inner_a, &key, key); change(&inner_b, &key, key);',
);

/** The map `changing` of a program that a container of the pod keeps at work. */
async function changingMap(t: TestContext, code: string): Promise<BpfObject> {
  const { pod, web } = await barePodFor(t);
  const object = openObject('changing', await compileProgram(code));
  t.after(() => closeObject(object));
  loadObject(object);
  const attachment = attachProgram(object.programs[0]!, pod, ownHooks);
  t.after(() => attachment.detach());
  const child = web.spawn(['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=1', 'status=none'], { stdio: 'ignore' });
  t.after(() => child.kill());
  return object;
}

const fill = (map: BpfMap, keyOf: (key: number) => Buffer) => {
  const copies = isPerCpuMap(map.type) ? possibleCpus() : 1;
  for (let key = 0; key < stable; key++)
    updateElement(mapFd(map), keyOf(key), Buffer.concat(new Array(copies).fill(u64(key))));
};

interface Shape {
  /** How to read an entry's key as a number. */
  keyAt?(keys: Buffer, index: number): number;
  /** Whether all that stay are in every read. */
  complete: boolean;
  rounds: number;
}

/** No key twice, each with its own value, and those that stay. */
function check(readMap: ReturnType<typeof createMapReader>, { keyAt, complete, rounds }: Shape): void {
  const sizes = new Set<number>();
  for (let round = 0; round < rounds; round++) {
    const { count, keys, values, keySize, valueSize, copies } = readMap();
    const seen = new Set<string>();
    const present = new Set<number>();
    for (let i = 0; i < count; i++) {
      const name = keys.toString('hex', i * keySize, (i + 1) * keySize);
      assert.ok(!seen.has(name), `key ${name} came twice`);
      seen.add(name);
      const key = keyAt?.(keys, i) ?? keys.readUInt32LE(i * keySize);
      // A program writes its own CPU's copy alone.
      const own = Array.from({ length: copies }, (_, copy) =>
        values.readUInt32LE((i * copies + copy) * valueSize),
      ).filter((value) => value !== 0 || key === 0);
      assert.ok(own.length > 0 && own.every((value) => value === key), `key ${key} has ${own}`);
      present.add(key);
    }
    if (complete) for (let key = 0; key < stable; key++) assert.ok(present.has(key), `key ${key} is missing`);
    sizes.add(count);
  }
  assert.ok(sizes.size > 1, 'it did change');
}

describe('a map that changes while it is read', () => {
  for (const type of ['HASH', 'PERCPU_HASH', 'LRU_HASH', 'LRU_PERCPU_HASH'])
    test(`a ${type}: no key twice, and those that stay are always there`, async (t) => {
      const map = findMap(await changingMap(t, plain(type)), 'changing');
      fill(map, u32);
      // An LRU map drops what it likes.
      check(createMapReader(map), { complete: !type.startsWith('LRU'), rounds: 1000 });
    });

  test('a HASH key by key, as on a kernel without batches: no key twice', async (t) => {
    const map = findMap(await changingMap(t, plain('HASH')), 'changing');
    fill(map, u32);
    const shape = { fd: mapFd(map), keySize: 4, valueSize: 8, copies: 1, maxEntries };
    // The way may be cut off.
    check(readByWalk(shape), { complete: false, rounds: 30 });
  });

  test('an LPM trie, where the kernel starts again when a key has gone: no key twice', async (t) => {
    const map = findMap(await changingMap(t, prefixes), 'changing');
    fill(map, (key) => Buffer.concat([u32(32), u32(key).reverse()]));
    check(createMapReader(map), {
      keyAt: (keys, index) => keys.readUInt32BE(index * 8 + 4),
      complete: false,
      rounds: 1000,
    });
  });

  test('a hash of maps, also when maps are put in and taken out: no key twice', async (t) => {
    const object = await changingMap(t, nested);
    const outer = findMap(object, 'changing');
    const inner = [findMap(object, 'inner_a'), findMap(object, 'inner_b')];
    for (const map of inner) fill(map, u32);
    const read = createMapReader(outer);
    let turn = 0;
    const readAnother = () => {
      const which = turn++ % inner.length;
      deleteElement(mapFd(outer), u32(which));
      updateElement(mapFd(outer), u32(which), u32(mapFd(inner[turn % inner.length]!)));
      return read();
    };
    check(readAnother, {
      keyAt: (keys, index) => keys.readUInt32LE(index * 8 + 4),
      complete: true,
      rounds: 40,
    });
  });
});
