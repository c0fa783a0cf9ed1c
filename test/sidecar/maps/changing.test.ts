import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compileProgram } from '../../../scripts/bpf/compile-program.ts';
import { placeOf } from '../../../scripts/node/place.ts';
import { createSandbox } from '../../../scripts/node/sandbox.ts';
import { updateElement } from '../../../sidecar/libbpf/map.ts';
import { closeObject, findMap, loadObject, mapFd, openObject } from '../../../sidecar/libbpf/object.ts';
import { readByBatch } from '../../../sidecar/maps/batch.ts';
import { readByWalk } from '../../../sidecar/maps/walk.ts';
import { attachProgram } from '../../../sidecar/programs/attach.ts';
import { ownHooks } from '../../../sidecar/programs/hooks/hooks.ts';

const stable = 200;
const maxEntries = 2000;
/** Each system call of the pod removes some keys and makes others; those below 200 stay. */
const code = (type: string) => `
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct { __uint(type, BPF_MAP_TYPE_${type}); __uint(max_entries, ${maxEntries}); __type(key, __u32); __type(value, __u64); } changing SEC(".maps");
SEC("raw_tp/sys_enter") int change(void *ctx) {
    for (int i = 0; i < 8; i++) {
        __u32 key = ${stable} + bpf_get_prandom_u32() % 1000;
        __u64 value = key;
        if (bpf_get_prandom_u32() & 1)
            bpf_map_update_elem(&changing, &key, &value, BPF_ANY);
        else
            bpf_map_delete_elem(&changing, &key);
    }
    return 0;
}
`;

describe('a map that changes while it is read', () => {
  for (const [type, way, read, rounds] of [
    ['HASH', 'in batches', readByBatch, 3000],
    ['LRU_HASH', 'in batches', readByBatch, 3000],
    ['HASH', 'key by key', readByWalk, 30],
  ] as const)
    test(`a ${type} read ${way}: no key twice, and those that stay are always there`, async (t) => {
      const sandbox = await createSandbox();
      t.after(() => sandbox.destroy());
      const pod = placeOf(sandbox, sandbox.addContainer('bpf-sidecar'));
      const object = openObject('changing', await compileProgram(code(type)));
      t.after(() => closeObject(object));
      loadObject(object);
      const fd = mapFd(findMap(object, 'changing'));
      for (let key = 0; key < stable; key++) updateElement(fd, u32(key), u64(key));
      const attachment = attachProgram(object.programs[0]!, pod, ownHooks);
      t.after(() => attachment.detach());
      const web = sandbox.addContainer('web');
      const child = web.spawn(['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=1', 'status=none'], {
        stdio: 'ignore',
      });
      t.after(() => child.kill());

      const readMap = read({ fd, keySize: 4, valueSize: 8, copies: 1, maxEntries });
      const sizes = new Set<number>();
      for (let round = 0; round < rounds; round++) {
        const { count, keys, values } = readMap();
        const seen = new Set<number>();
        for (let i = 0; i < count; i++) {
          const key = keys.readUInt32LE(i * 4);
          assert.ok(!seen.has(key), `key ${key} came twice`);
          assert.equal(values.readUInt32LE(i * 8), key);
          seen.add(key);
        }
        // Key by key the way may be cut off; an LRU map drops what it likes.
        if (type === 'HASH' && way === 'in batches')
          for (let key = 0; key < stable; key++) assert.ok(seen.has(key), `key ${key} is missing`);
        sizes.add(count);
      }
      assert.ok(sizes.size > 1, 'it did change');
    });
});

function u32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
}

function u64(value: number): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeUInt32LE(value);
  return buffer;
}
