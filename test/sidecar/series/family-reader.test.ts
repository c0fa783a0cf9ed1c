import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMetricSpec } from '../../../sidecar/contract/metric-spec-yaml.ts';
import { createBounds, createSeriesRoom } from '../../../sidecar/series/bounds.ts';
import type { DecoderContext } from '../../../sidecar/series/decoders/decoder.ts';
import type { Family, Series } from '../../../sidecar/series/family.ts';
import { createFamilyReader } from '../../../sidecar/series/family-reader.ts';
import type { MapLayout } from '../../../sidecar/series/layout.ts';
import { mapEntries, u32, u64 } from './entries.ts';

const names = new Map([
  [1n, 'web'],
  [2n, 'client'],
]);
const context: DecoderContext = {
  containerName: (id) => names.get(id) ?? '~other',
  wantsContainer: () => true,
  generation: () => 0,
};

const counterSpec = `
metrics:
  counters:
    - name: calls_total
      help: Calls.
      labels:
        - { name: container, size: 8, decoders: [{ name: cgroup }] }
        - { name: operation, size: 4, padding: 4, decoders: [{ name: uint }] }
`;
const memberSpec = `${counterSpec}      value: calls\n`;
const arraySpec = `
metrics:
  histograms:
    - name: duration_seconds
      help: Duration.
      value: duration
      bucket_type: fixed
      bucket_keys: [1000, 4000, 16000]
      bucket_multiplier: 1e-9
      labels:
        - { name: container, size: 8, decoders: [{ name: cgroup }] }
`;
const keyedSpec = `
metrics:
  histograms:
    - name: latency_seconds
      help: Latency.
      bucket_type: exp2
      bucket_max: 2
      bucket_multiplier: 0.000001
      labels:
        - { name: container, size: 8, decoders: [{ name: cgroup }] }
        - { name: bucket, size: 4, padding: 4, decoders: [{ name: uint }] }
`;

const created = 1_700_000_000.123;

function reader(
  spec: string,
  layout: Partial<MapLayout> & { keySize: number; valueSize: number },
  decoders: Partial<DecoderContext> = {},
  bounds = createBounds(),
) {
  const [metric] = parseMetricSpec(spec, 'test').metrics;
  return createFamilyReader(
    metric!,
    { member: () => undefined, created, ...layout },
    { ...context, ...decoders },
    bounds,
  );
}

type Value = number | [counts: number | number[], sum: number];

/** Series by their labels: a number, or a histogram's or summary's counts and sum. */
function read(family: Family): Record<string, Value> {
  return Object.fromEntries(
    Array.from<Series, [string, Value]>(family.series, (series) => {
      if ('counts' in series) return [series.labels, [[...series.counts], series.sum]];
      return [series.labels, 'count' in series ? [series.count, series.sum] : series.value];
    }),
  );
}

const key = (container: number | bigint, operation: number) =>
  Buffer.concat([u64(container), u32(operation, 0)]);

test('a counter reads the value of each entry under the labels of its key', () => {
  const family = reader(counterSpec, { keySize: 16, valueSize: 8 }).read(
    mapEntries(
      [
        [key(1, 0), u64(5)],
        [key(2, 7), u64(2n ** 40n + 1n)],
      ],
      16,
      8,
    ),
  );
  assert.equal(family.name, 'bpf_calls_total');
  assert.equal(family.type, 'counter');
  assert.deepEqual(read(family), {
    'container="web",operation="0"': 5,
    'container="client",operation="7"': 2 ** 40 + 1,
  });
});

test('a member is read where it lies in the value', () => {
  const { read: readFamily } = reader(memberSpec, {
    keySize: 16,
    valueSize: 24,
    member: (name) => (name === 'calls' ? { offset: 16, size: 8 } : undefined),
  });
  const entries = mapEntries([[key(1, 0), u64(8, 9, 10)]], 16, 24);
  assert.deepEqual(read(readFamily(entries)), { 'container="web",operation="0"': 10 });
});

test('the copies of a per-CPU map add up', () => {
  const entries = mapEntries(
    [
      [key(1, 0), u64(1), u64(20), u64(300)],
      [key(1, 1), u64(4), u64(0), u64(0)],
    ],
    16,
    8,
  );
  assert.deepEqual(read(reader(counterSpec, { keySize: 16, valueSize: 8 }).read(entries)), {
    'container="web",operation="0"': 321,
    'container="web",operation="1"': 4,
  });
});

test('keys that decode to the same labels are one series, their values summed', () => {
  const entries = mapEntries(
    [
      [key(100, 0), u64(1)],
      [key(200, 0), u64(2)],
      [key(1, 0), u64(4)],
    ],
    16,
    8,
  );
  const { read: readFamily } = reader(counterSpec, { keySize: 16, valueSize: 8 });
  for (let round = 0; round < 2; round++)
    assert.deepEqual(read(readFamily(entries)), {
      'container="~other",operation="0"': 3,
      'container="web",operation="0"': 4,
    });
});

test('a series leaves with its key, and its value is the current one, not a running sum', () => {
  const { read: readFamily } = reader(counterSpec, { keySize: 16, valueSize: 8 });
  const entry = (container: number, value: number): [Buffer, Buffer] => [key(container, 0), u64(value)];
  readFamily(mapEntries([entry(1, 1), entry(2, 2)], 16, 8));
  assert.deepEqual(read(readFamily(mapEntries([entry(2, 3)], 16, 8))), {
    'container="client",operation="0"': 3,
  });
  assert.deepEqual(read(readFamily(mapEntries([], 16, 8))), {});
  assert.deepEqual(read(readFamily(mapEntries([entry(1, 4)], 16, 8))), {
    'container="web",operation="0"': 4,
  });
});

test('labels are kept from read to read, and decoded anew when the naming of containers changes', () => {
  let generation = 0;
  let asked = 0;
  let name = '~other';
  const { read: readFamily } = reader(
    counterSpec,
    { keySize: 16, valueSize: 8 },
    {
      generation: () => generation,
      containerName: () => {
        asked++;
        return name;
      },
    },
  );
  const entries = mapEntries([[key(9, 0), u64(1)]], 16, 8);
  readFamily(entries);
  readFamily(entries);
  assert.equal(asked, 1);
  name = 'late';
  generation = 1;
  assert.deepEqual(read(readFamily(entries)), { 'container="late",operation="0"': 1 });
});

test('entries of containers that are not wanted are dropped', () => {
  const { read: readFamily } = reader(
    counterSpec,
    { keySize: 16, valueSize: 8 },
    { wantsContainer: (name) => name === 'web' },
  );
  const entries = mapEntries(
    [
      [key(1, 0), u64(1)],
      [key(2, 0), u64(2)],
    ],
    16,
    8,
  );
  assert.deepEqual(read(readFamily(entries)), { 'container="web",operation="0"': 1 });
});

test('a family holds 10,000 series; what is over is counted, and has room again when others leave', () => {
  const bounds = createBounds();
  const { read: readFamily } = reader(counterSpec, { keySize: 16, valueSize: 8 }, {}, bounds);
  const dropped = () => bounds.losses.familyFull;
  const entry = (_: unknown, operation: number): [Buffer, Buffer] => [key(1, operation), u64(1)];
  const many = Array.from({ length: 10_003 }, entry);
  assert.equal([...readFamily(mapEntries(many, 16, 8)).series].length, 10_000);
  assert.equal(dropped(), 3);
  readFamily(mapEntries(many.slice(9_998), 16, 8));
  assert.equal(dropped(), 6);
  const family = readFamily(mapEntries(many.slice(9_998), 16, 8));
  assert.deepEqual(
    Object.keys(read(family)),
    [9_998, 9_999, 10_000, 10_001, 10_002].map((operation) => `container="web",operation="${operation}"`),
  );
  assert.equal(dropped(), 6);
});

test('histograms of 1,000 buckets have fewer series, so that their numbers take no more memory', () => {
  const spec = `metrics: { histograms: [{ name: h, value: v, bucket_type: linear, bucket_max: 999, labels: [{ name: a, size: 8, decoders: [{ name: uint }] }] }] }`;
  const bounds = createBounds();
  const size = 1002 * 8;
  const { read } = reader(
    spec,
    { keySize: 8, valueSize: size, member: () => ({ offset: 0, size }) },
    {},
    bounds,
  );
  const value = Buffer.alloc(size);
  const entries = Array.from({ length: 3000 }, (_, key): [Buffer, Buffer] => [u64(key), value]);
  assert.equal([...read(mapEntries(entries, 8, size)).series].length, Math.floor(2_600_000 / 1002));
  assert.equal(bounds.losses.familyFull, 3000 - Math.floor(2_600_000 / 1002));
});

test('the probes of a sidecar share the room for series', () => {
  const room = createSeriesRoom(3);
  const [first, second] = [createBounds(room), createBounds(room)];
  const layout = { keySize: 16, valueSize: 8 };
  const one = reader(counterSpec, layout, {}, first);
  const other = reader(counterSpec, layout, {}, second);
  const entries = (count: number) =>
    mapEntries(
      Array.from({ length: count }, (_, operation): [Buffer, Buffer] => [key(1, operation), u64(1)]),
      16,
      8,
    );
  const size = (family: Family) => [...family.series].length;
  assert.equal(size(one.read(entries(2))), 2);
  assert.equal(size(other.read(entries(2))), 1);
  assert.deepEqual([first.losses.sidecarFull, second.losses.sidecarFull], [0, 1]);
  one.read(entries(1));
  assert.equal(size(other.read(entries(2))), 2, 'what leaves a map makes room');
  one.close();
  assert.equal(size(other.read(entries(3))), 3, 'a probe that goes makes room');
  assert.equal(second.losses.sidecarFull, 1);
});

test('a key that a decoder cannot read costs that entry alone, and is counted once', () => {
  const bounds = createBounds();
  const { read: readFamily } = reader(
    counterSpec,
    { keySize: 16, valueSize: 8 },
    {
      containerName(id) {
        if (id === 2n) throw new Error('no such cgroup');
        return 'web';
      },
    },
    bounds,
  );
  const entries = mapEntries(
    [
      [key(1, 0), u64(1)],
      [key(2, 0), u64(2)],
    ],
    16,
    8,
  );
  readFamily(entries);
  assert.deepEqual(read(readFamily(entries)), { 'container="web",operation="0"': 1 });
  assert.equal(bounds.losses.decodeErrors, 1);
});

test('free text has 200 values; all later ones are one series, and stay in it', () => {
  const bounds = createBounds();
  const spec = `metrics: { counters: [{ name: calls_total, labels: [
    { name: command, size: 8, decoders: [{ name: string }] }, { name: n, size: 8, decoders: [{ name: uint }] }] }] }`;
  const { read: readFamily } = reader(spec, { keySize: 16, valueSize: 8 }, {}, bounds);
  const entry = (text: string, n = 0): [Buffer, Buffer] => [
    Buffer.concat([Buffer.concat([Buffer.from(text)], 8), u64(n)]),
    u64(1),
  ];
  const many = Array.from({ length: 203 }, (_, index) => entry(`c${index}`));
  const series = read(readFamily(mapEntries([...many, entry('c0', 1)], 16, 8)));
  assert.equal(Object.keys(series).length, 202);
  assert.equal(series['command="~other",n="0"'], 3);
  assert.equal(series['command="c0",n="1"'], 1);
  assert.equal(bounds.losses.foldedValues, 3);
  const later = read(readFamily(mapEntries(many.slice(201), 16, 8)));
  assert.deepEqual(later, { 'command="~other",n="0"': 2 });
});

test('without labels all entries add up to one series', () => {
  const spec = 'metrics: { counters: [{ name: lost_total, help: Lost., labels: [] }] }';
  const entries = mapEntries(
    [
      [u32(0), u64(2)],
      [u32(1), u64(3)],
    ],
    4,
    8,
  );
  assert.deepEqual(read(reader(spec, { keySize: 4, valueSize: 8 }).read(entries)), { '': 5 });
});

test('a histogram in a member: buckets, sum, overflow', () => {
  const { read: readFamily } = reader(arraySpec, {
    keySize: 8,
    valueSize: 48,
    member: () => ({ offset: 8, size: 40 }),
  });
  const entries = mapEntries([[u64(1), u64(99, 1, 2, 3, 123_456, 4)]], 8, 48);
  const family = readFamily(entries);
  assert.equal(family.type, 'histogram');
  assert.deepEqual(family.type === 'histogram' && family.bounds, [0.000001, 0.000004, 0.000016]);
  assert.deepEqual(read(family), { 'container="web"': [[1, 2, 3, 4], 0.000123456] });
  assert.deepEqual(read(readFamily(entries)), read(family), 'a second read starts from zero');
});

test('a histogram in a member of a per-CPU map adds its copies, bucket by bucket', () => {
  const { read: readFamily } = reader(arraySpec, {
    keySize: 8,
    valueSize: 40,
    member: () => ({ offset: 0, size: 40 }),
  });
  const entries = mapEntries([[u64(1), u64(1, 2, 3, 4000, 5), u64(10, 20, 30, 1000, 50)]], 8, 40);
  assert.deepEqual(read(readFamily(entries)), { 'container="web"': [[11, 22, 33, 55], 0.000005] });
});

test('a histogram in the keys: sum at the last key + 1, overflow above it, missing buckets are zero', () => {
  const bucket = (container: number, index: number) => Buffer.concat([u64(container), u32(index, 0)]);
  const entries = mapEntries(
    [
      [bucket(1, 0), u64(1)],
      [bucket(2, 1), u64(7)],
      [bucket(1, 2), u64(2)],
      [bucket(1, 3), u64(18_239)],
      [bucket(1, 4), u64(3)],
      [bucket(1, 63), u64(1)],
    ],
    16,
    8,
  );
  assert.deepEqual(read(reader(keyedSpec, { keySize: 16, valueSize: 8 }).read(entries)), {
    'container="web"': [[1, 0, 2, 4], 0.018239],
    'container="client"': [[0, 7, 0, 0], 0],
  });
});

test('labels and the bucket lie behind the padding of the parts before, and a bucket has any size', () => {
  for (const size of [1, 2, 4, 8]) {
    const spec = `
metrics:
  histograms:
    - name: latency_seconds
      bucket_type: linear
      bucket_max: 1
      labels:
        - { name: operation, size: 1, padding: 7, decoders: [{ name: uint }] }
        - { name: container, size: 8, decoders: [{ name: cgroup }] }
        - { name: bucket, size: ${size}, padding: ${8 - size}, decoders: [{ name: uint }] }
`;
    const highestByte = 256n ** BigInt(size - 1);
    const entries = mapEntries([[u64(7, 2, highestByte), u64(3)]], 24, 8);
    assert.deepEqual(read(reader(spec, { keySize: 24, valueSize: 8 }).read(entries)), {
      'operation="7",container="client"': [size === 1 ? [0, 3, 0] : [0, 0, 3], 0],
    });
  }
});

const typed = (section: string, fields: string) => `
metrics:
  ${section}:
    - name: sockets${section === 'info' ? '_info' : ''}
      labels: [{ name: container, size: 8, decoders: [{ name: cgroup }] }]
      ${fields}
`;

test('an unknown is read as a number, and is no counter', () => {
  const family = reader(typed('unknown', 'help: Sockets.'), { keySize: 8, valueSize: 8 }).read(
    mapEntries([[u64(1), u64(5)]], 8, 8),
  );
  assert.equal(family.type, 'unknown');
  assert.deepEqual(read(family), { 'container="web"': 5 });
});

test('an info is 1 for each key, whatever the value is and however many keys share the labels', () => {
  const entries = mapEntries(
    [
      [u64(1), u32(0, 0, 0)],
      [u64(100), u32(7, 7, 7)],
      [u64(200), u32(8, 8, 8)],
    ],
    8,
    12,
  );
  const family = reader(typed('info', 'help: Sockets.'), { keySize: 8, valueSize: 12 }).read(entries);
  assert.equal(family.type, 'info');
  assert.deepEqual(read(family), { 'container="web"': 1, 'container="~other"': 1 });
});

test('the states of a state set are those that are on in any key or CPU of the series', () => {
  const { read: readFamily } = reader(typed('state_sets', 'states: [idle, busy, closed]'), {
    keySize: 8,
    valueSize: 8,
  });
  const entries = mapEntries(
    [
      [u64(1), u64(0b001), u64(0b001)],
      [u64(100), u64(0b010), u64(0)],
      [u64(200), u64(0b010), u64(0b100)],
    ],
    8,
    8,
  );
  const family = readFamily(entries);
  assert.deepEqual(family.type === 'stateset' && family.states, ['idle', 'busy', 'closed']);
  assert.deepEqual(read(family), { 'container="web"': 0b001, 'container="~other"': 0b110 });
  assert.deepEqual(
    read(readFamily(mapEntries([[u64(1), u64(0b100), u64(0)]], 8, 8))),
    { 'container="web"': 0b100 },
    'a state that is left is off',
  );
});

test('a summary is a count and a sum, added up over the CPUs and then multiplied', () => {
  const { read: readFamily } = reader(typed('summaries', 'value: rtt\n      sum_multiplier: 1e-6'), {
    keySize: 8,
    valueSize: 24,
    member: (name) => (name === 'rtt' ? { offset: 8, size: 16 } : undefined),
  });
  const entries = mapEntries([[u64(1), u64(99, 2, 18_000), u64(99, 3, 239)]], 8, 24);
  const family = readFamily(entries);
  assert.equal(family.type, 'summary');
  assert.deepEqual(read(family), { 'container="web"': [5, 0.018239] });
  assert.deepEqual(read(readFamily(entries)), read(family), 'a second read starts from zero');
});

test('a gauge histogram is read as a histogram is', () => {
  const spec = arraySpec.replace('histograms', 'gauge_histograms');
  const member = () => ({ offset: 0, size: 40 });
  const family = reader(spec, { keySize: 8, valueSize: 40, member }).read(
    mapEntries([[u64(1), u64(1, 2, 3, 4000, 5)]], 8, 40),
  );
  assert.equal(family.type, 'gaugehistogram');
  assert.deepEqual(read(family), { 'container="web"': [[1, 2, 3, 5], 0.000004] });
});

test('a family tells since when it counts: since its map was made', () => {
  for (const spec of [counterSpec, keyedSpec])
    assert.equal(
      reader(spec, { keySize: 16, valueSize: 8 }).read(mapEntries([[key(1, 0), u64(1)]], 16, 8)).created,
      created,
    );
});

test('an integer of any size is read with its sign', () => {
  for (const [size, bytes, signed, expected] of [
    [1, [0xff], true, -1],
    [1, [0xff], false, 255],
    [2, [0xfe, 0xff], true, -2],
    [4, [0, 0, 0, 0x80], true, -(2 ** 31)],
    [4, [0, 0, 0, 0x80], false, 2 ** 31],
    [8, [0xf0, ...new Array<number>(7).fill(0xff)], true, -16],
  ] as const) {
    const { read } = reader(memberSpec.replace('counters', 'gauges'), {
      keySize: 16,
      valueSize: 16,
      member: () => ({ offset: 8, size, signed }),
    });
    const value = Buffer.alloc(16);
    Buffer.from(bytes).copy(value, 8);
    const [series] = read(mapEntries([[key(1, 0), value]], 16, 16)).series as Iterable<{ value: number }>;
    assert.equal(series!.value, expected);
  }
});

test('a spec that does not fit its map is refused with a reason', () => {
  const member = () => ({ offset: 0, size: 4 });
  const table: [
    spec: string,
    keySize: number,
    valueSize: number,
    layout: Partial<MapLayout>,
    message: RegExp,
  ][] = [
    [
      counterSpec,
      12,
      8,
      {},
      /^metric bpf_calls_total: the labels cover 16 bytes, but a key of map "calls_total" has 12/,
    ],
    [keyedSpec, 8, 8, {}, /labels cover 16 bytes, but a key .* has 8/],
    [
      counterSpec,
      16,
      24,
      {},
      /a value of map "calls_total" has 24 bytes and must be one integer of 1, 2, 4 or/,
    ],
    [memberSpec, 16, 24, {}, /the value of map "calls_total" has no member "calls"/],
    [
      memberSpec,
      16,
      24,
      { member: () => ({ offset: 0, size: 12 }) },
      /member "calls" of map "calls_total" has 12 bytes and must be one integer of 1, 2, 4 or 8 bytes$/,
    ],
    [arraySpec, 8, 44, { member }, /has 44 bytes and must have a multiple of 8/],
    [typed('state_sets', 'states: [a]'), 8, 4, {}, /has 4 bytes and must be one u64/],
    [typed('summaries', 'help: x'), 8, 8, {}, /has 8 bytes and must be an array of 2 u64 \(count, sum\)/],
    [
      arraySpec,
      8,
      8,
      { member },
      /has 4 bytes and must be an array of 5 u64 \(buckets, sum, overflow\), 40 bytes/,
    ],
  ];
  for (const [spec, keySize, valueSize, layout, message] of table)
    assert.throws(() => reader(spec, { keySize, valueSize, ...layout }), { message });
});
