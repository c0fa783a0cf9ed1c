import { mapShared, pageSize } from '../../libbpf/mapped.ts';
import { type BpfMap, mapFd } from '../../libbpf/object.ts';
import type { EventSource } from './source.ts';

/** Of a record's length (<linux/bpf.h>): it is being written; it is to be passed over. */
const BUSY_BIT = 0x80000000;
const DISCARD_BIT = 0x40000000;
const headerSize = 8;

/**
 * The events of a BPF_MAP_TYPE_RINGBUF, read from its memory: no call at all. The layout is that of the kernel's
 * kernel/bpf/ringbuf.c: a page with the consumer's position, one with the producer's, and the data twice in a row,
 * so that no record is ever cut.
 */
export function openRingBuffer(map: BpfMap): EventSource {
  const size = map.maxEntries;
  const consumer = mapShared(mapFd(map), pageSize, 0, true);
  const producer = mapShared(mapFd(map), pageSize + 2 * size, pageSize, false);
  const consumed = new BigUint64Array(consumer.buffer.buffer, consumer.buffer.byteOffset, 1);
  const produced = new BigUint64Array(producer.buffer.buffer, producer.buffer.byteOffset, 1);
  const data = producer.buffer.subarray(pageSize);
  const headers = new Int32Array(data.buffer, data.byteOffset, (2 * size) / 4);

  return {
    drain(add) {
      const start = Atomics.load(consumed, 0);
      const available = Number(Atomics.load(produced, 0) - start);
      // The position counts on, past the end of the data.
      const base = Number(start & BigInt(size - 1));
      let read = 0;
      while (read < available) {
        const at = (base + read) % size;
        const length = Atomics.load(headers, at / 4);
        if (length & BUSY_BIT) break;
        const bytes = length & ~DISCARD_BIT;
        if ((length & DISCARD_BIT) === 0) add(data, at + headerSize, at + headerSize + bytes);
        read += (headerSize + bytes + 7) & ~7;
      }
      if (read > 0) Atomics.store(consumed, 0, start + BigInt(read));
      return { fill: available / size, lost: 0 };
    },
    close() {
      consumer.unmap();
      producer.unmap();
    },
  };
}
