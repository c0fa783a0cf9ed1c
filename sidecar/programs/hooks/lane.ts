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

/** `max_entries` of the programs, and of the pods: see bpf/include/dispatch.bpf.h. */
const slots = 1024;
const placesBits = 12n;
const places = 1 << Number(placesBits);
const placesTried = 4;

const valueSize = 24;
const firstKey = uint32(0);

interface Place extends Entry {
  place: number;
  sidecar: bigint;
}

/** The pods of a lane. */
export function readEntries(lane: Lane): Place[] {
  // One more than there are: a single batch finds the end.
  const capacity = places + 1;
  const keys = Buffer.alloc(capacity * 4);
  const values = Buffer.alloc(capacity * valueSize);
  const { count } = lookupBatch(lane.pods, null, Buffer.alloc(4), keys, values, capacity);
  const entries: Place[] = [];
  for (let i = 0; i < count; i++) {
    const id = values.readBigUInt64LE(i * valueSize);
    if (id === 0n) continue;
    entries.push({
      place: keys.readUInt32LE(i * 4),
      id,
      sidecar: values.readBigUInt64LE(i * valueSize + 8),
      slot: values.readUInt32LE(i * valueSize + 16),
      level: values.readUInt32LE(i * valueSize + 20),
    });
  }
  return entries;
}

/**
 * Has the dispatcher call a program for the events of a pod that the lane has room for. The pod comes before its
 * program, so that nobody's death can leave a program that no pod leads to.
 */
export function addEntry(lane: Lane, pod: PodCgroup, program: number): void {
  const entries = readEntries(lane);
  const slot = freeSlot(entries);
  const place = freePlace(entries, pod);
  if (slot === undefined || place === undefined)
    throw new Error("the node's dispatcher on this hook has no room for another pod");
  const entry = { sidecar: pod.sidecar, slot, level: pod.level };
  // An event may come in the middle of a change: the id, by which it is found, comes once the rest is there.
  writePod(lane, place, { ...entry, id: 0n });
  writePod(lane, place, { ...entry, id: pod.id });
  putProgram(lane.programs, slot, program);
  writeLevels(lane, [...entries, { level: pod.level }]);
}

function writePod(
  lane: Lane,
  place: number,
  { id, sidecar, slot, level }: Entry & { sidecar: bigint },
): void {
  // struct pod of bpf/include/dispatch.bpf.h
  const value = Buffer.alloc(valueSize);
  value.writeBigUInt64LE(id, 0);
  value.writeBigUInt64LE(sidecar, 8);
  value.writeUInt32LE(slot, 16);
  value.writeUInt32LE(level, 20);
  updateElement(lane.pods, uint32(place), value);
}

/** Of the places where a pod may be, the first where nobody is. */
function freePlace(entries: readonly Place[], { id }: PodCgroup): number | undefined {
  const taken = new Set(entries.map(({ place }) => place));
  const first = Number(BigInt.asUintN(64, id * 0x9e3779b97f4a7c15n) >> (64n - placesBits));
  return Array.from({ length: placesTried }, (_, i) => (first + i) & (places - 1)).find(
    (place) => !taken.has(place),
  );
}

/** That the kernel lets no dispatcher call a program. */
export class TailCallRefused extends Error {
  constructor() {
    super(
      'the kernel lets no dispatcher call it by a tail call (EINVAL), which it refuses to programs that sleep or that have cgroup storage',
    );
  }
}

/** Puts a program where a dispatcher finds it. Throws TailCallRefused. */
export function putProgram(programs: number, slot: number, program: number): void {
  try {
    updateElement(programs, uint32(slot), uint32(program));
  } catch (error) {
    if (error instanceof BpfError && error.code === 'EINVAL') throw new TailCallRefused();
    throw error;
  }
}

/** Removes pods, each program before its pod; returns how many pods are left. */
export function removeEntries(lane: Lane, isGone: (entry: Entry) => boolean): number {
  const entries = readEntries(lane);
  const gone = entries.filter(isGone);
  if (gone.length === 0) return entries.length;
  for (const entry of gone) {
    deleteElement(lane.programs, uint32(entry.slot));
    writePod(lane, entry.place, { ...entry, id: 0n });
  }
  const left = entries.filter((entry) => !gone.includes(entry));
  writeLevels(lane, left);
  return left.length;
}

/** Whether a pod can be added: it is not in the lane yet, and there is room. */
export function hasRoom(lane: Lane, pod: PodCgroup): boolean {
  const entries = readEntries(lane);
  return (
    entries.length < slots &&
    entries.every(({ id }) => id !== pod.id) &&
    freePlace(entries, pod) !== undefined
  );
}

/**
 * Any of them, not the first: an event that is under way may still carry the slot of a pod that has just left,
 * and must not meet another's program there.
 */
function freeSlot(entries: readonly Entry[]): number | undefined {
  const used = new Set(entries.map(({ slot }) => slot));
  const start = Math.floor(Math.random() * slots);
  for (let i = 0; i < slots; i++) {
    const slot = (start + i) % slots;
    if (!used.has(slot)) return slot;
  }
  return undefined;
}

/** Writes only what changes: every event on the node reads it. */
function writeLevels(lane: Lane, entries: readonly { level: number }[]): void {
  const levels = entries.reduce((bits, { level }) => bits | (1n << BigInt(level)), 0n);
  const value = uint64(levels);
  if (!lookupElement(lane.variables, firstKey, value.length).equals(value))
    updateElement(lane.variables, firstKey, value);
}

function uint64(value: bigint): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(value);
  return buffer;
}

function uint32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
}
