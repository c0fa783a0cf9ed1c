import type { Capability } from './contract/capabilities.ts';
import type { Labelled, Metric, ScalarMetric } from './contract/metric-spec.ts';
import { type BpfMap, type BpfObject, findMap, findMember } from './libbpf/object.ts';
import { MapType } from './libbpf/types.ts';
import { readCgroupFiles } from './maps/cgroup-files.ts';
import { canFold, foldDeparted, type Lifetimes } from './maps/departed.ts';
import type { MapEntries } from './maps/entries.ts';
import { type EventReader, holdsEvents, readEvents } from './maps/events/events.ts';
import { isNested } from './maps/nested.ts';
import { canFill, createMapReader, isPerCpuMap, sizesOf } from './maps/read.ts';
import { isQuicklyRead } from './maps/size.ts';
import { createStackReader } from './maps/stacks.ts';
import type { PodCgroup } from './pod/cgroups.ts';
import { fieldsOfType, keyOf } from './probe-metrics.ts';
import { type Bounds, createBounds, type Losses, type SeriesRoom } from './series/bounds.ts';
import { withLabels } from './series/btf-labels.ts';
import type { DecoderContext } from './series/decoders/decoder.ts';
import { symbolDecoders } from './series/decoders/index.ts';
import type { Family } from './series/family.ts';
import { createFamilyReader, type FamilyReader } from './series/family-reader.ts';
import { cgroupOffset, keyBytes, type MapLayout, summedNumbers } from './series/layout.ts';

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
  /**
   * How full its maps were when they were last read, those that can be. Also of maps of no metric, as programs have for what
   * they are in the middle of, where counting their entries takes little.
   */
  fullness(): MapFullness[];
  close(): void;
}

export interface MapFullness {
  map: string;
  entries: number;
  capacity: number;
}

interface CountedMap {
  name: string;
  read(): MapEntries;
  /** Where it can be full. */
  capacity?: number;
  entries: number;
}

interface OpenMap extends CountedMap {
  families: OpenFamily[];
  /** Where it holds events. */
  events?: EventReader;
}

interface OpenFamily extends FamilyReader {
  /** The map of a histogram's exemplars. */
  readExemplars?(): MapEntries;
}

/** The names of the maps that a metric is read from. */
export function mapsOf(metric: Metric): string[] {
  if (isOfFile(metric)) return [];
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
  const others: CountedMap[] = [];
  const withStacks = { ...context, stacks: (name: string) => createStackReader(findMap(object, name)) };
  const close = () => {
    for (const { events, families } of maps) {
      events?.close();
      for (const family of families) family.close();
    }
  };
  try {
    others.push(...unnamedMaps(metrics, object));
    const [ofFiles, ofMaps] = [metrics.filter(isOfFile), metrics.filter((metric) => !isOfFile(metric))];
    for (const metric of ofFiles) maps.push(openCgroupFile(metric, pod, { created, context, bounds }));
    for (const [name, ofMap] of Map.groupBy(ofMaps, (metric) => metric.map)) {
      const map = findMap(object, name);
      // Maps in a map are opened by their ids.
      if (isNested(map)) needs.add('SYS_ADMIN');
      if (ofMap.some(showsKernelSymbols)) needs.add('SYSLOG');
      maps.push(openMap({ map, name, object, created, context: withStacks, bounds }, ofMap));
    }
  } catch (error) {
    close();
    throw error;
  }
  return {
    *families() {
      for (const map of maps) {
        const entries = map.read();
        map.entries = entries.count - (entries.departed ?? 0);
        // All at once, for the next read uses the same memory.
        yield* map.families.map((reader) => readFamily(reader, entries));
      }
      for (const map of others) map.entries = map.read().count;
    },
    losses: bounds.losses,
    needs: [...needs],
    droppedEvents: () => maps.reduce((sum, { events }) => sum + (events?.dropped() ?? 0), 0),
    fullness: () =>
      [...maps, ...others].flatMap(({ name, entries, capacity }) =>
        capacity === undefined ? [] : [{ map: name, entries, capacity }],
      ),
    close,
  };
}

function showsKernelSymbols({ labels = [] }: Metric): boolean {
  return labels.some(({ decoders }) => decoders.some(({ name }) => symbolDecoders.includes(name)));
}

function unnamedMaps(metrics: readonly Metric[], object: BpfObject): CountedMap[] {
  const named = metrics.flatMap(mapsOf).map((name) => findMap(object, name));
  return object.maps
    .filter((map) => canFill(map) && isQuicklyRead(map) && !named.includes(map))
    .map((map) => ({ name: map.name, read: createMapReader(map), capacity: map.maxEntries, entries: 0 }));
}

function readFamily({ read, addExemplars, readExemplars }: OpenFamily, entries: MapEntries): Family {
  const family = read(entries);
  if (readExemplars) addExemplars?.(readExemplars());
  return family;
}

function isOfFile(metric: Metric): metric is Labelled<ScalarMetric> {
  return 'cgroupFile' in metric;
}

function openCgroupFile(
  metric: Labelled<ScalarMetric>,
  pod: PodCgroup,
  { created, context, bounds }: Pick<Origin, 'created' | 'context' | 'bounds'>,
): OpenMap {
  const { cgroupFile = '', value, ...rest } = metric;
  const layout: MapLayout = { keySize: 8, valueSize: 8, created, member: () => undefined };
  const read = readCgroupFiles(cgroupFile, value, pod, context);
  return {
    name: cgroupFile,
    read,
    families: [createFamilyReader(rest, layout, context, bounds)],
    entries: 0,
  };
}

/** What the families of a map are made from. */
interface Origin {
  map: BpfMap;
  /** As the spec names it. */
  name: string;
  object: BpfObject;
  created: number;
  context: ProbeContext;
  bounds: Bounds;
}

function openMap(origin: Origin, metrics: readonly Metric[]): OpenMap {
  const { map, name, object, context } = origin;
  if (holdsEvents(map)) {
    const labelled = metrics.map(requireLabels);
    const keySize = keyBytes(labelled);
    const families = openFamilies(origin, labelled, layoutOf(origin, { keySize, valueSize: 8 }));
    const idOffset = cgroupOffset(labelled);
    const departures = idOffset === undefined ? undefined : { idOffset, lifetimes: context };
    const events = readEvents(map, keySize, { after: forgetAfter(metrics), departures });
    return { name, read: events.read, families, events, entries: 0 };
  }
  refuseEvents(metrics, name);
  const sizes = sizesOf(map);
  const labelled = metrics.map((metric) =>
    withLabels(metric, { ...keyOf(object, map), single: isSingle(map) }),
  );
  const layout = layoutOf(origin, sizes);
  const families = openFamilies(origin, labelled, layout);
  const read = createMapReader(map, context.containerCgroups);
  const idOffset = cgroupOffset(labelled);
  const departures = idOffset !== undefined &&
    canFold(map, idOffset) && {
      idOffset,
      numbers: labelled.flatMap((metric) => summedNumbers(metric, layout)),
      lifetimes: context,
    };
  return {
    name,
    read: departures ? foldDeparted(read, map, departures) : read,
    families,
    ...(canFill(map) && { capacity: map.maxEntries }),
    entries: 0,
  };
}

/** Whether a map is one value rather than a table. */
function isSingle({ type, maxEntries }: BpfMap): boolean {
  return (type === MapType.array || type === MapType.percpuArray) && maxEntries === 1;
}

function layoutOf(
  { map, name, object, created }: Origin,
  sizes: { keySize: number; valueSize: number },
): MapLayout {
  return {
    ...sizes,
    created,
    perCpu: isPerCpuMap(map.type),
    single: isSingle(map),
    member: (value) => findMember(object, name, value),
    exemplars(exemplars) {
      const { keySize, valueSize, valueTypeId } = findMap(object, exemplars);
      return { keySize, valueSize, fields: () => fieldsOfType(object, valueTypeId) };
    },
  };
}

function openFamilies(
  { object, context, bounds }: Origin,
  metrics: readonly Labelled[],
  layout: MapLayout,
): OpenFamily[] {
  return metrics.map((metric) => {
    const reader = createFamilyReader(metric, layout, context, bounds);
    if (!('exemplars' in metric) || metric.exemplars === undefined) return reader;
    return { ...reader, readExemplars: createMapReader(findMap(object, metric.exemplars)) };
  });
}

function requireLabels(metric: Metric): Labelled {
  if (metric.labels !== undefined) return metric as Labelled;
  throw new Error(
    `metric ${metric.name}: map "${metric.map}" holds events, of which nothing tells the labels; give the metric "labels"`,
  );
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
