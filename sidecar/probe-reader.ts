import type { Metric } from './contract/metric-spec.ts';
import { type BpfMap, type BpfObject, findMap, findMember } from './libbpf/object.ts';
import { canFold, foldDeparted, type Lifetimes } from './maps/departed.ts';
import type { MapEntries } from './maps/entries.ts';
import { type EventReader, holdsEvents, readEvents } from './maps/events/events.ts';
import { canFill, createMapReader, sizesOf } from './maps/read.ts';
import type { DecoderContext } from './series/decoders/decoder.ts';
import type { Family } from './series/family.ts';
import { createFamilyReader, type FamilyReader } from './series/family-reader.ts';
import { cgroupOffset, keyBytes, type MapLayout } from './series/layout.ts';

/** What a probe has to know of the pod's containers. */
export type ProbeContext = DecoderContext & Lifetimes;

/** The series of a probe. */
export interface ProbeReader {
  /** Reads the probe's maps, each once. */
  read(): Family[];
  /** Series left out of the reads so far because their family was full. */
  droppedSeries(): number;
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
  families: FamilyReader[];
  /** Where it holds events. */
  events?: EventReader;
  /** Where it can be full. */
  capacity?: number;
  entries: number;
}

/** Several metrics may come from one map, which is then read once a scrape. Throws when a metric does not fit its map. */
export function createProbeReader(
  metrics: readonly Metric[],
  object: BpfObject,
  context: ProbeContext,
): ProbeReader {
  // Before any program is attached: nothing has been counted yet.
  const created = Date.now() / 1000;
  const maps: OpenMap[] = [];
  const close = () => {
    for (const { events } of maps) events?.close();
  };
  try {
    for (const [name, ofMap] of Map.groupBy(metrics, (metric) => metric.map))
      maps.push(openMap(findMap(object, name), name, ofMap, object, created, context));
  } catch (error) {
    close();
    throw error;
  }
  const families = maps.flatMap((map) => map.families);
  return {
    read: () =>
      maps.flatMap((map) => {
        const entries = map.read();
        map.entries = entries.count - (entries.departed ?? 0);
        return map.families.map((family) => family.read(entries));
      }),
    droppedSeries: () => families.reduce((sum, family) => sum + family.dropped(), 0),
    droppedEvents: () => maps.reduce((sum, { events }) => sum + (events?.dropped() ?? 0), 0),
    fullness: () =>
      maps.flatMap(({ name, entries, capacity }) =>
        capacity === undefined ? [] : [{ map: name, entries, capacity }],
      ),
    close,
  };
}

function openMap(
  map: BpfMap,
  name: string,
  metrics: readonly Metric[],
  object: BpfObject,
  created: number,
  context: ProbeContext,
): OpenMap {
  const member = (value: string) => findMember(object, name, value);
  const familiesFor = (layout: MapLayout) =>
    metrics.map((metric) => createFamilyReader(metric, layout, context));
  if (holdsEvents(map)) {
    const keySize = keyBytes(metrics);
    const families = familiesFor({ keySize, valueSize: 8, created, member });
    const events = readEvents(map, keySize, forgetAfter(metrics));
    return { name, read: events.read, families, events, entries: 0 };
  }
  refuseEvents(metrics, name);
  const families = familiesFor({ ...sizesOf(map), created, member });
  const read = createMapReader(map);
  const idOffset = cgroupOffset(metrics);
  const folds = idOffset !== undefined && canFold(map);
  return {
    name,
    read: folds ? foldDeparted(read, map, idOffset, context) : read,
    families,
    ...(canFill(map) && { capacity: map.maxEntries }),
    entries: 0,
  };
}

/** Milliseconds, of the metrics of a map the longest; undefined when one of them keeps its series for good. */
function forgetAfter(metrics: readonly Metric[]): number | undefined {
  const times = metrics.map((metric) => ('forgetAfter' in metric ? metric.forgetAfter : undefined));
  return times.every((time) => time !== undefined) ? Math.max(...times) : undefined;
}

function refuseEvents(metrics: readonly Metric[], map: string): void {
  const metric = metrics.find((candidate) => 'fromEvents' in candidate && candidate.fromEvents);
  if (metric)
    throw new Error(
      `metric ${metric.name}: map "${map}" is neither a perf event array nor a ring buffer; remove perf_event_array`,
    );
}
