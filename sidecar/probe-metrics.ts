import { refuseClashes } from './contract/metric-names.ts';
import type { Metric } from './contract/metric-spec.ts';
import { type Field, fieldsOf, membersOf, type Part } from './libbpf/btf.ts';
import type { BpfMap, BpfObject } from './libbpf/object.ts';
import { cgroupIdSize, isCgroupStorage } from './maps/cgroup-storage.ts';
import { isReadableMap, sizesOf } from './maps/read.ts';
import type { KeyType } from './series/btf-labels.ts';
import { metricsOfMap } from './series/map-metrics.ts';

/** What the maps of an object without a metric spec become. Throws an Error when none of them can be shown. */
export function metricsOfMaps(probe: string, object: BpfObject): Metric[] {
  const metrics = object.maps
    // Those with a dot are the sections of global variables.
    .filter(({ name, type }) => isReadableMap(type) && !name.includes('.'))
    .flatMap((map) => {
      return metricsOfMap(probe, map, keyOf(object, map), wordsOfValue(object, map));
    });
  if (metrics.length === 0)
    throw new Error(
      `object ${object.name} has no map that can be shown without a metric spec: a hash or array with u64 values`,
    );
  refuseClashes(metrics, `probe ${probe}`);
  return metrics;
}

/** What is known of a map's key as the reader gives it; in a map of maps, of the outer key and then of the inner one. */
export function keyOf(object: BpfObject, map: BpfMap): KeyType {
  return { size: sizesOf(map).keySize, fields: () => keyFields(object, map) };
}

function keyFields(object: BpfObject, map: BpfMap): Field[] {
  if (isCgroupStorage(map)) return [{ name: 'container', offset: 0, size: cgroupIdSize, kind: 'unsigned' }];
  const outer = fieldsOfType(object, map.keyTypeId);
  if (!map.inner) return outer;
  const inner = fieldsOfType(object, map.inner.keyTypeId);
  return [...outer, ...inner.map((field) => ({ ...field, offset: field.offset + map.keySize }))];
}

/** The parts of a type in the object's BTF; empty where it has none. */
export function fieldsOfType({ btf }: BpfObject, typeId: number): Field[] {
  return btf === undefined || typeId === 0 ? [] : fieldsOf(btf, typeId);
}

/** The numbers of 8 bytes that a map's value struct has. */
function wordsOfValue({ btf }: BpfObject, { valueTypeId }: BpfMap): Part[] {
  if (btf === undefined || valueTypeId === 0) return [];
  const members = membersOf(btf, valueTypeId).map(({ name }) => name);
  return fieldsOf(btf, valueTypeId).filter(
    ({ name, size, kind }) => size === 8 && kind !== 'text' && kind !== 'bytes' && members.includes(name),
  );
}
