import { refuseClashes } from './contract/metric-names.ts';
import type { Metric } from './contract/metric-spec.ts';
import { type Field, fieldsOf, membersOf, type Part } from './libbpf/btf.ts';
import type { BpfMap, BpfObject } from './libbpf/object.ts';
import { isReadableMap } from './maps/read.ts';
import { metricsOfMap } from './series/map-metrics.ts';

/** What the maps of an object without a metric spec become. Throws an Error when none of them can be shown. */
export function metricsOfMaps(probe: string, object: BpfObject): Metric[] {
  const metrics = object.maps
    // Those with a dot are the sections of global variables.
    .filter(({ name, type }) => isReadableMap(type) && !name.includes('.'))
    .flatMap((map) => {
      const key = { size: map.keySize, fields: () => fieldsOfType(object, map.keyTypeId) };
      return metricsOfMap(probe, map, key, wordsOfValue(object, map));
    });
  if (metrics.length === 0)
    throw new Error(
      `object ${object.name} has no map that can be shown without a metric spec: a hash or array with u64 values`,
    );
  refuseClashes(metrics, `probe ${probe}`);
  return metrics;
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
