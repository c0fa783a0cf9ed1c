import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { compileProgram } from '../../../scripts/bpf/compile-program.ts';
import { possibleCpus } from '../../../sidecar/libbpf/map.ts';
import { type BpfObject, closeObject, openObject } from '../../../sidecar/libbpf/object.ts';
import { refuseLargeMaps, refuseLargeReads } from '../../../sidecar/maps/size.ts';
import { startAuthored } from '../../support/author.ts';
import { barePodFor } from '../../support/bare-pod.ts';

const header = `
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
`;
const map = (name: string, type: string, entries: number, value = '__u64') =>
  `struct { __uint(type, BPF_MAP_TYPE_${type}); __uint(max_entries, ${entries}); __type(key, __u32); __type(value, ${value}); } ${name} SEC(".maps");`;
const program = 'SEC("raw_tp/sys_enter") int f(void *ctx) { return 0; }';

async function opened(t: TestContext, code: string): Promise<BpfObject> {
  const object = openObject('mine', await compileProgram(header + code));
  t.after(() => closeObject(object));
  return object;
}

describe('maps that would take too much memory', () => {
  test('are refused before a probe is loaded, when metrics are read from them', async (t) => {
    const { pod } = await barePodFor(t);
    const code = `${header}struct value { __u64 a, b[14]; };\n${map('big', 'ARRAY', 600_000, 'struct value')}\n${program}`;
    await assert.rejects(
      startAuthored(code, pod, 'metrics: { gauges: [{ name: big, value: a, labels: [] }] }'),
      {
        message:
          'object mine: map big has 71 MiB, and the maps that a scrape reads may have 64 MiB together, not 71 MiB; give it fewer max_entries or a smaller value',
      },
    );
  });

  test('count together, each once, and those of events not at all', async (t) => {
    const value = 'struct value { char bytes[96]; };';
    // 33 MiB each.
    const half = Math.floor((33 * 2 ** 20) / 100);
    const both = map('a', 'ARRAY', half, 'struct value') + map('b', 'HASH', half, 'struct value');
    const ring = `struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, ${128 * 2 ** 20}); } ring SEC(".maps");`;
    const object = await opened(t, value + both + ring);
    refuseLargeReads(object, ['a', 'a', 'ring']);
    refuseLargeMaps(object);
    assert.throws(
      () => refuseLargeReads(object, ['a', 'b']),
      /map a has 33 MiB, .* 64 MiB together, not 66 MiB/,
    );
  });

  test('or too long to read', async (t) => {
    const object = await opened(t, map('a', 'ARRAY', 600_000) + map('b', 'ARRAY', 400_001));
    refuseLargeReads(object, ['a']);
    assert.throws(() => refuseLargeReads(object, ['a', 'b']), {
      message:
        'object mine: map a has 600,000 entries, and the maps that a scrape reads may have 1,000,000 entries together, not 1,000,001 entries; give it fewer max_entries or a smaller value',
    });
  });

  test('have a value for each CPU, and in a map of maps all that the inner ones have', async (t) => {
    const entries = Math.ceil((64 * 2 ** 20) / (4 + 160 * possibleCpus()));
    const nested = `
struct value { __u64 words[20]; };
struct inner { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1000); __type(key, __u32); __uint(value_size, 160); };
struct { __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); __uint(max_entries, 500); __type(key, __u32); __array(values, struct inner); } outer SEC(".maps");`;
    const fits = map('fits', 'PERCPU_HASH', entries - 1, 'struct value');
    const object = await opened(t, nested + fits + map('above', 'PERCPU_ARRAY', entries + 1, 'struct value'));
    refuseLargeReads(object, ['fits']);
    assert.throws(() => refuseLargeReads(object, ['above']), /map above has 65 MiB/);
    assert.throws(() => refuseLargeReads(object, ['outer']), /map outer has 79 MiB/);
  });

  test('are refused with all others of an object, also when nobody reads them', async (t) => {
    const object = await opened(t, `${map('scratch', 'HASH', 20_000_000)} char large[100 << 20];`);
    assert.throws(() => refuseLargeMaps(object), {
      message:
        'object mine: map scratch has 229 MiB, and all maps of an object may have 256 MiB together, not 329 MiB; give it fewer max_entries or a smaller value',
    });
  });
});
