import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { lookupElement, possibleCpus } from '../../sidecar/libbpf/map.ts';
import { closeObject, findMap, loadObject, mapFd, openObject } from '../../sidecar/libbpf/object.ts';
import { readEvents } from '../../sidecar/maps/events/events.ts';
import { attachProgram } from '../../sidecar/programs/attach.ts';
import { ownHooks } from '../../sidecar/programs/hooks/hooks.ts';
import { type Arch, compileObject } from '../bpf/compile.ts';
import { placeOf } from '../node/place.ts';
import { createSandbox } from '../node/sandbox.ts';
import type { Row } from './row.ts';

/** Each system call of the pod sends an event of 16 bytes, and counts those for which there was no room. */
const program = `
#include "kernel.bpf.h"
struct event { __u64 container; __u32 number; __u32 kind; };
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 16 << 20); } events SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 2); __type(key, __u32); __type(value, __u64); } counts SEC(".maps");
SEC("raw_tp/sys_enter") int send(struct bpf_raw_tracepoint_args *ctx) {
    struct event event = {.container = 7, .number = ctx->args[1]};
    __u32 lost = bpf_ringbuf_output(&events, &event, sizeof(event), BPF_RB_NO_WAKEUP) ? 1 : 0;
    __u64 *count = bpf_map_lookup_elem(&counts, &lost);
    if (count)
        *count += 1;
    return 0;
}
char LICENSE[] SEC("license") = "GPL";
`;
const eventSize = 16;
const seconds = 3;

/** Events that come through a ring buffer while one process copies zeros, which makes more than a million a second. */
export async function benchRingBuffer(): Promise<Row[]> {
  const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-bench-'));
  const sandbox = await createSandbox();
  try {
    const source = join(directory, 'events.bpf.c');
    writeFileSync(source, program);
    await compileObject(source, `${source}.o`, process.arch as Arch);
    const object = openObject('events', readFileSync(`${source}.o`));
    loadObject(object);
    const pod = placeOf(sandbox, sandbox.addContainer('bpf-sidecar'));
    const events = readEvents(findMap(object, 'events'), eventSize, {});
    const attachment = attachProgram(object.programs[0]!, pod, ownHooks);
    const work = sandbox
      .addContainer('web')
      .spawn(['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=8k', 'status=none'], { stdio: 'ignore' });
    const before = process.cpuUsage();
    const start = process.hrtime.bigint();
    await setTimeout(seconds * 1000);
    work.kill();
    attachment.detach();
    const { count, values } = events.read();
    const elapsed = Number(process.hrtime.bigint() - start) / 1e9;
    const { user, system } = process.cpuUsage(before);
    let received = 0;
    for (let i = 0; i < count; i++) received += Number(values.readBigUInt64LE(i * 8));
    const lost = sumOfCopies(mapFd(findMap(object, 'counts')), 1);
    events.close();
    closeObject(object);
    return [
      {
        what: 'ring buffer events received',
        value: `${Math.round(received / elapsed).toLocaleString('en')} /s`,
        target: '> 1,000,000 /s',
      },
      { what: 'ring buffer events lost', value: String(lost), target: '0' },
      { what: 'CPU time for each event', value: `${(((user + system) * 1000) / received).toFixed(0)} ns` },
    ];
  } finally {
    await sandbox.destroy();
    rmSync(directory, { recursive: true });
  }
}

/** Of an element of a per-CPU array of u64. */
function sumOfCopies(fd: number, index: number): number {
  const key = Buffer.alloc(4);
  key.writeUInt32LE(index);
  const copies = lookupElement(fd, key, 8 * possibleCpus());
  let sum = 0;
  for (let at = 0; at < copies.length; at += 8) sum += Number(copies.readBigUInt64LE(at));
  return sum;
}

if (import.meta.main) console.table(await benchRingBuffer());
