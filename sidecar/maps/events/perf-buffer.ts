import { closeSync } from 'node:fs';
import { onlineCpus } from '../../libbpf/cpus.ts';
import { updateElement } from '../../libbpf/map.ts';
import { type Mapped, mapShared, pageSize } from '../../libbpf/mapped.ts';
import { type BpfMap, mapFd } from '../../libbpf/object.ts';
import { enablePerfEvent, openPerfEvent } from '../../libbpf/perf-event.ts';
import type { Drained, EventSource } from './source.ts';

// <linux/perf_event.h>
const PERF_TYPE_SOFTWARE = 1;
const PERF_COUNT_SW_BPF_OUTPUT = 10;
const PERF_SAMPLE_RAW = 1 << 10;
const PERF_RECORD_LOST = 2;
const PERF_RECORD_SAMPLE = 9;
/** In struct perf_event_mmap_page. */
const dataHead = 1024;
const dataTail = 1032;

/** Per CPU; must be a power of two. */
const dataSize = 64 * pageSize;
const headerSize = 8;

/**
 * The events of a BPF_MAP_TYPE_PERF_EVENT_ARRAY: a buffer for each CPU, read from its memory. A record that goes
 * over the end is put together first.
 */
export function openPerfBuffer(map: BpfMap): EventSource {
  const buffers: ReturnType<typeof openCpu>[] = [];
  const close = () => {
    for (const buffer of buffers) buffer.close();
  };
  try {
    for (const cpu of onlineCpus()) buffers.push(openCpu(map, cpu));
  } catch (error) {
    close();
    throw error;
  }
  return {
    drain(add) {
      let [fill, lost] = [0, 0];
      for (const buffer of buffers) {
        const drained = buffer.drain(add);
        fill = Math.max(fill, drained.fill);
        lost += drained.lost;
      }
      return { fill, lost };
    },
    close,
  };
}

/** Without a number of events to wake a reader after: each would queue work for the kernel, and nobody waits for them. */
function openCpu(map: BpfMap, cpu: number): EventSource {
  const event = {
    type: PERF_TYPE_SOFTWARE,
    config: PERF_COUNT_SW_BPF_OUTPUT,
    sampleType: PERF_SAMPLE_RAW,
    samplePeriod: 1,
  };
  const fd = openPerfEvent(event, { cpu });
  let mapped: Mapped;
  try {
    mapped = mapShared(fd, pageSize + dataSize, 0, true);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  try {
    enablePerfEvent(fd);
    updateElement(mapFd(map), uint32(cpu), uint32(fd));
  } catch (error) {
    mapped.unmap();
    closeSync(fd);
    throw error;
  }
  const { buffer } = mapped;
  const words = new BigUint64Array(buffer.buffer, buffer.byteOffset, pageSize / 8);
  const data = buffer.subarray(pageSize);
  return {
    drain: (add) => drainCpu(words, data, add),
    close() {
      mapped.unmap();
      closeSync(fd);
    },
  };
}

function drainCpu(words: BigUint64Array, data: Buffer, add: Parameters<EventSource['drain']>[0]): Drained {
  const head = Atomics.load(words, dataHead / 8);
  const tail = words[dataTail / 8]!;
  const available = Number(head - tail);
  const base = Number(tail & BigInt(dataSize - 1));
  let lost = 0;
  for (let read = 0; read < available; ) {
    const at = (base + read) % dataSize;
    const size = data.readUInt16LE(at + 6);
    const whole = at + size <= dataSize;
    const record = whole
      ? data
      : Buffer.concat([data.subarray(at), data.subarray(0, size - (dataSize - at))]);
    const start = whole ? at : 0;
    const type = record.readUInt32LE(start);
    if (type === PERF_RECORD_SAMPLE) {
      const body = start + headerSize + 4;
      add(record, body, body + record.readUInt32LE(start + headerSize));
    } else if (type === PERF_RECORD_LOST) lost += Number(record.readBigUInt64LE(start + headerSize + 8));
    read += size;
  }
  if (available > 0) Atomics.store(words, dataTail / 8, head);
  return { fill: available / dataSize, lost };
}

function uint32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
}
