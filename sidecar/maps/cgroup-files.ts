import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { attempt } from '../attempt.ts';
import { cgroupId, type PodCgroup, subdirectories } from '../pod/cgroups.ts';
import type { Lifetimes } from './departed.ts';
import type { MapEntries } from './entries.ts';

const wordSize = 8;

/**
 * A reader of one number of a file that each container cgroup has, as if it were a map from the cgroup's id to that
 * number. Like a map it keeps what containers that are gone have counted, as of the last read that saw them. `member` is
 * the number's name in the file; without one the file is a number. A container without it has no entry.
 */
export function readCgroupFiles(
  file: string,
  member: string | undefined,
  pod: PodCgroup,
  lifetimes: Lifetimes,
): () => MapEntries {
  const present = new Map<bigint, bigint>();
  const departed = new Map<bigint, bigint>();

  function refresh(): void {
    for (const name of subdirectories(pod.path)) {
      const directory = join(pod.path, name);
      const id = attempt(() => cgroupId(directory));
      if (id instanceof Error || id === pod.sidecar) continue;
      const text = attempt(() => readFileSync(join(directory, file), 'utf8'));
      const number = text instanceof Error ? undefined : numberIn(text, member);
      if (number !== undefined) present.set(id, number);
    }
    for (const [id, number] of present) {
      if (!lifetimes.isGone(id)) continue;
      present.delete(id);
      const departedId = lifetimes.departedId(id);
      departed.set(departedId, (departed.get(departedId) ?? 0n) + number);
    }
  }

  return () => {
    refresh();
    const entries = [...present, ...departed];
    const [keys, values] = [0, 1].map((part) => words(entries.map((entry) => entry[part]!)));
    return {
      count: entries.length,
      keys: keys!,
      values: values!,
      keySize: wordSize,
      valueSize: wordSize,
      copies: 1,
      departed: departed.size,
    };
  };
}

/**
 * A number of a cgroup's file, in the formats of the kernel's Documentation/admin-guide/cgroup-v2.rst: `nr_throttled` in
 * flat keys (`nr_throttled 3`), `some.total` in nested keys (`some avg10=0.00 total=17`), and what has no name in a file of
 * one value.
 */
export function numberIn(text: string, member: string | undefined): bigint | undefined {
  if (member === undefined) return wholeNumber(text.trim());
  const [key, nested] = member.split('.');
  for (const line of text.split('\n')) {
    const [name, ...parts] = line.split(' ');
    if (name !== key) continue;
    const part = nested === undefined ? parts[0] : parts.find((pair) => pair.startsWith(`${nested}=`));
    return wholeNumber(part?.slice(nested === undefined ? 0 : nested.length + 1) ?? '');
  }
  return undefined;
}

function wholeNumber(text: string): bigint | undefined {
  return /^[0-9]{1,20}$/.test(text) ? BigInt(text) : undefined;
}

function words(numbers: readonly bigint[]): Buffer {
  const bytes = Buffer.alloc(numbers.length * wordSize);
  numbers.forEach((number, index) => {
    bytes.writeBigUInt64LE(BigInt.asUintN(64, number), index * wordSize);
  });
  return bytes;
}
