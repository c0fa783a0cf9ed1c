import { BpfError } from '../../libbpf/error.ts';
import { deleteElement, lookupBatch, lookupElement, updateElement } from '../../libbpf/map.ts';
import type { PodCgroup } from '../../pod/cgroups.ts';

/** The maps of a dispatcher on a global hook, as file descriptors: see bpf/include/dispatch.bpf.h. */
export interface Lane {
  pods: number;
  programs: number;
  /** Its global variables, of which `pod_levels` is the only one. */
  variables: number;
}

/** A pod that is registered in a lane. */
export interface Entry {
  /** Of the pod cgroup. */
  id: bigint;
  slot: number;
  level: number;
}

/** `max_entries` of both maps. */
const places = 1024;
const keySize = 8;
const valueSize = 16;
const firstKey = uint32(0);

/** The pods of a lane. */
export function readEntries(lane: Lane): Entry[] {
  // One more than there can be: a single batch finds the end.
  const capacity = places + 1;
  const position = Buffer.alloc(keySize);
  const keys = Buffer.alloc(capacity * keySize);
  const values = Buffer.alloc(capacity * valueSize);
  const { count } = lookupBatch(lane.pods, null, position, keys, values, capacity);
  return Array.from({ length: count }, (_, i) => ({
    id: keys.readBigUInt64LE(i * keySize),
    slot: values.readUInt32LE(i * valueSize + 8),
    level: values.readUInt32LE(i * valueSize + 12),
  }));
}

/**
 * Has the dispatcher call a program for the events of a pod that is not in the lane yet. The pod comes before its
 * program, so that nobody's death can leave a program that no pod leads to. Throws an Error when the lane is full.
 */
export function addEntry(lane: Lane, pod: PodCgroup, program: number): void {
  const entries = readEntries(lane);
  const slot = freeSlot(entries);
  // struct pod of bpf/include/dispatch.bpf.h
  const value = Buffer.alloc(valueSize);
  value.writeBigUInt64LE(pod.sidecar, 0);
  value.writeUInt32LE(slot, 8);
  value.writeUInt32LE(pod.level, 12);
  updateElement(lane.pods, podKey(pod.id), value);
  putProgram(lane.programs, slot, program);
  writeLevels(lane, [...entries, { level: pod.level }]);
}

/** Puts a program where a dispatcher finds it. Throws an Error where the kernel lets no dispatcher call it. */
export function putProgram(programs: number, slot: number, program: number): void {
  try {
    updateElement(programs, uint32(slot), uint32(program));
  } catch (error) {
    if (error instanceof BpfError && error.code === 'EINVAL')
      throw new Error(
        'the kernel lets no dispatcher call it by a tail call (EINVAL), which it refuses to programs that sleep or that have cgroup storage',
      );
    throw error;
  }
}

/** Removes pods, each program before its pod; returns how many pods are left. */
export function removeEntries(lane: Lane, isGone: (entry: Entry) => boolean): number {
  const entries = readEntries(lane);
  const gone = entries.filter(isGone);
  if (gone.length === 0) return entries.length;
  for (const { id, slot } of gone) {
    deleteElement(lane.programs, uint32(slot));
    deleteElement(lane.pods, podKey(id));
  }
  const left = entries.filter((entry) => !gone.includes(entry));
  writeLevels(lane, left);
  return left.length;
}

/** Whether a pod is in the lane. */
export function hasEntry(lane: Lane, pod: PodCgroup): boolean {
  return readEntries(lane).some(({ id }) => id === pod.id);
}

/**
 * Any of them, not the first: an event that is under way may still carry the slot of a pod that has just left,
 * and must not meet another's program there.
 */
function freeSlot(entries: readonly Entry[]): number {
  const used = new Set(entries.map(({ slot }) => slot));
  const start = Math.floor(Math.random() * places);
  for (let i = 0; i < places; i++) {
    const slot = (start + i) % places;
    if (!used.has(slot)) return slot;
  }
  throw new Error(`the node's dispatcher already serves ${places} pods on this hook`);
}

/** Writes only what changes: every event on the node reads it. */
function writeLevels(lane: Lane, entries: readonly { level: number }[]): void {
  const levels = entries.reduce((bits, { level }) => bits | (1n << BigInt(level)), 0n);
  const value = podKey(levels);
  if (!lookupElement(lane.variables, firstKey, value.length).equals(value))
    updateElement(lane.variables, firstKey, value);
}

function podKey(id: bigint): Buffer {
  const key = Buffer.alloc(keySize);
  key.writeBigUInt64LE(id);
  return key;
}

function uint32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
}
