import type { Capability } from './contract/capabilities.ts';
import type { Labelled, Metric, ScalarMetric } from './contract/metric-spec.ts';
import { type BpfMap, type BpfObject, findMap, findMember } from './libbpf/object.ts';
import { readCgroupFiles } from './maps/cgroup-files.ts';
import { canFold, foldDeparted, type Lifetimes } from './maps/departed.ts';
import type { MapEntries } from './maps/entries.ts';
import { type EventReader, holdsEvents, readEvents } from './maps/events/events.ts';
import { isNested } from './maps/nested.ts';
import { canFill, createMapReader, isPerCpuMap, sizesOf } from './maps/read.ts';
import { createStackReader } from './maps/stacks.ts';
import type { PodCgroup } from './pod/cgroups.ts';
import { fieldsOfType } from './probe-metrics.ts';
import { type Bounds, createBounds, type Losses, type SeriesRoom } from './series/bounds.ts';
import { type KeyType, withLabels } from './series/btf-labels.ts';
import type { DecoderContext } from './series/decoders/decoder.ts';
import { symbolDecoders } from './series/decoders/index.ts';
import type { Family } from './series/family.ts';
import { createFamilyReader, type FamilyReader } from './series/family-reader.ts';
import { cgroupOffset, keyBytes, type MapLayout } from './series/layout.ts';

/** What a probe has to know of the pod's containers. */
export type ProbeContext = DecoderContext & Lifetimes;

/** The series of a probe. */
export interface ProbeReader {
  /** Reads the probe's maps, each once, when its families are asked for. */
  families(): Generator<Family>;
  /** What its series have left out so far. */
  readonly losses: Losses;
  /** What reading the maps, and telling what is in them, needs beyond CAP_BPF. */
  readonly needs: readonly Capability[];
  /** Events of ring buffers and perf event arrays that were not counted. */
  droppedEvents(): number;
  /** How full its maps were when they were last read, those that can be. */
  fullness(): MapFullness[];
  close(): void;
}

export interface MapFullness {
  map: string;
  entries: number;
  capacity: number;
}

interface OpenMap {
  name: string;
  read(): MapEntries;
  families: OpenFamily[];
  /** Where it holds events. */
  events?: EventReader;
  /** Where it can be full. */
  capacity?: number;
  entries: number;
}

interface OpenFamily extends FamilyReader {
  /** The map of a histogram's exemplars. */
  readExemplars?(): MapEntries;
}

/** The names of the maps that a metric is read from. */
export function mapsOf(metric: Metric): string[] {
  const exemplars = 'exemplars' in metric ? metric.exemplars : undefined;
  return exemplars === undefined ? [metric.map] : [metric.map, exemplars];
}

/** Several metrics may come from one map, which is then read once a scrape. Throws when a metric does not fit its map. */
export function createProbeReader(
  metrics: readonly Metric[],
  object: BpfObject,
  context: ProbeContext,
  room: SeriesRoom,
  pod: PodCgroup,
): ProbeReader {
  const bounds = createBounds(room);
  // Before any program is attached: nothing has been counted yet.
  const created = Date.now() / 1000;
  const maps: OpenMap[] = [];
  const needs = new Set<Capability>();
  const withStacks = { ...context, stacks: (name: string) => createStackReader(findMap(object, name)) };
  const close = () => {
    for (const { events, families } of maps) {
      events?.close();
      for (const family of families) family.close();
    }
  };
  try {
    const [ofFiles, ofMaps] = [metrics.filter(isOfFile), metrics.filter((metric) => !isOfFile(metric))];
    for (const metric of ofFiles) maps.push(openCgroupFile(metric, pod, { created, context, bounds }));
    for (const [name, ofMap] of Map.groupBy(ofMaps, (metric) => metric.map)) {
      const map = findMap(object, name);
      // Maps in a map are opened by their ids.
      if (isNested(map)) needs.add('SYS_ADMIN');
      if (ofMap.some(showsKernelSymbols)) needs.add('SYSLOG');
      maps.push(openMap({ map, name, object, created, context: withStacks, bounds }, ofMap));
    }
