import { closeSync } from 'node:fs';
import { lookupInto, openMapById, takeElement } from '../libbpf/map.ts';
import { type BpfMap, mapFd } from '../libbpf/object.ts';
import { MapType } from '../libbpf/types.ts';
import { readByBatch } from './batch.ts';
import type { MapEntries } from './entries.ts';

/** Bytes of what user space sees as the value of a map of maps: the id of the inner map. */
const idSize = 4;

/**
 * A reader of a hash or array of maps: its entries are those of the inner maps, each key that of the outer map and
 * then that of the inner one. `readInner` reads an inner map of the shape that the object tells.
 */
export function readNested(
  map: BpfMap,
  readInner: (inner: BpfMap, fd: number) => () => MapEntries,
): () => MapEntries {
  const template = innerOf(map);
  const readOuter = readByBatch({
    fd: mapFd(map),
    keySize: map.keySize,
    valueSize: idSize,
    copies: 1,
    maxEntries: map.maxEntries,
  });
  let keys = Buffer.alloc(0);
  let values = Buffer.alloc(0);
  return () => {
    const outer = readOuter();
    const keySize = map.keySize + template.keySize;
    let count = 0;
    let shape = { valueSize: template.valueSize, copies: 1 };
    for (let entry = 0; entry < outer.count; entry++) {
      const id = outer.values.readUInt32LE(entry * idSize);
      // An array has places without a map.
      const fd = id === 0 ? undefined : openMapById(id);
      if (fd === undefined) continue;
      try {
        const inner = readInner(template, fd)();
        shape = inner;
        const stride = inner.valueSize * inner.copies;
        keys = withRoom(keys, (count + inner.count) * keySize);
        values = withRoom(values, (count + inner.count) * stride);
        inner.values.copy(values, count * stride, 0, inner.count * stride);
        for (let i = 0; i < inner.count; i++, count++) {
          outer.keys.copy(keys, count * keySize, entry * map.keySize, (entry + 1) * map.keySize);
          const from = i * template.keySize;
          inner.keys.copy(keys, count * keySize + map.keySize, from, from + template.keySize);
        }
      } finally {
        closeSync(fd);
      }
    }
    const { valueSize, copies } = shape;
    return { count, keys, values, keySize, valueSize, copies };
  };
}

/**
 * Takes an entry that readNested gave out of its inner map. `stride` is the bytes of all copies of a value. Undefined when
 * it has gone.
 */
export function takeNested(map: BpfMap, key: Buffer, stride: number): Buffer | undefined {
  const id = Buffer.alloc(idSize);
  const fd = lookupInto(mapFd(map), key.subarray(0, map.keySize), id)
    ? openMapById(id.readUInt32LE())
    : undefined;
  if (fd === undefined) return undefined;
  try {
    return takeElement(fd, key.subarray(map.keySize), stride);
  } finally {
    closeSync(fd);
  }
}

/** Whether a map's entries are those of maps in it. */
export function isNested(map: BpfMap): boolean {
  return map.type === MapType.arrayOfMaps || map.type === MapType.hashOfMaps;
}

/** What the inner maps are like, as the object defines it. */
export function innerOf(map: BpfMap): BpfMap {
  if (map.inner) return map.inner;
  throw new Error(
    `map ${map.name} does not say what its inner maps are like; define them with __array(values, …)`,
  );
}

function withRoom(buffer: Buffer<ArrayBuffer>, length: number): Buffer<ArrayBuffer> {
  return buffer.length >= length ? buffer : Buffer.concat([buffer], Math.max(length, 2 * buffer.length));
}
