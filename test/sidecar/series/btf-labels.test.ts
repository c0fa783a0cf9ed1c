import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { compileProgram } from '../../../scripts/bpf/compile-program.ts';
import type { LabelSpec } from '../../../sidecar/contract/label-spec.ts';
import { parseMetricSpec } from '../../../sidecar/contract/metric-spec-yaml.ts';
import { fieldsOf } from '../../../sidecar/libbpf/btf.ts';
import { type BpfObject, closeObject, findMap, openObject } from '../../../sidecar/libbpf/object.ts';
import { type KeyType, labelsOfKey, withLabels } from '../../../sidecar/series/btf-labels.ts';

const keys = {
  everything: `{
    __u64 container;
    enum side { LEFT, RIGHT = 7 } side;
    enum error { OK, FAILED = -5 } error;
    char command[10];
    bool secure;
    __u8 mac[6];
    __u8 flags;
    struct { __u16 port; struct address { __u32 words[4]; } address; } peer;
    struct { __s16 inner; };
    __s64 offset;
    __u32 pod;
    void *pointer;
  }`,
  endpoints: `{
    struct endpoint { __u16 family; __be16 port; __u8 address[16]; } server;
    struct other { __u8 address[16]; __u16 family; __be16 port; } client;
  }`,
  bits: '{ __u32 a : 3; __u32 b : 29; }',
  many: `{ ${Array.from({ length: 17 }, (_, index) => `__u8 m${index};`).join(' ')} }`,
  twice: '{ struct { __u32 b; } a; __u32 a_b; }',
  long_text: '{ char text[16385]; }',
  keyed: '{ __u32 operation; __u32 bucket; }',
  backwards: '{ __u32 bucket; __u32 operation; }',
};

const map = (name: string, key: string) => `
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1);
    __type(key, ${key});
    __type(value, __u64);
} ${name} SEC(".maps");`;

const code = `
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
${Object.entries(keys)
  .map(([name, members]) => `struct ${name}_key ${members};${map(name, `struct ${name}_key`)}`)
  .join('\n')}
typedef __u32 number;
${map('scalar', 'number')}
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1);
    __uint(key_size, 4);
    __uint(value_size, 8);
} untyped SEC(".maps");
SEC("raw_tp/sys_enter") int nothing(void *ctx) { return 0; }
`;

describe('labels from BTF', () => {
  let object: BpfObject;
  before(async () => {
    object = openObject('keys', await compileProgram(code));
  });
  after(() => closeObject(object));

  function keyOf(name: string): KeyType {
    const { keySize, keyTypeId } = findMap(object, name);
    return { size: keySize, fields: () => (keyTypeId === 0 ? [] : fieldsOf(object.btf!, keyTypeId)) };
  }

  const brief = ({ name, size, padding, decoders }: LabelSpec) => [
    name,
    size,
    padding,
    decoders.map((decoder) => decoder.name).join(' '),
  ];

  test('are the members of the key, those of structs in it too, without the padding', () => {
    const labels = labelsOfKey(keyOf('everything'));
    assert.deepEqual(labels.map(brief), [
      ['container', 8, 0, 'cgroup'],
      ['side', 4, 0, 'uint static_map'],
      ['error', 4, 0, 'uint static_map'], // This clang does not say which enums are signed.
      ['command', 10, 0, 'string'],
      ['secure', 1, 0, 'uint'],
      ['mac', 6, 0, 'hex'],
      ['flags', 1, 2, 'uint'],
      ['peer_port', 2, 2, 'uint'],
      ['peer_address_words', 16, 0, 'hex'],
      ['inner', 2, 6, 'int'],
      ['offset', 8, 0, 'int'],
      ['exported_pod', 4, 4, 'uint'],
      ['pointer', 8, 0, 'uint'],
    ]);
    const names = labels.flatMap(({ decoders }) =>
      decoders.flatMap((decoder) => (decoder.name === 'static_map' ? [...decoder.staticMap] : [])),
    );
    assert.deepEqual(names, [
      ['0', 'LEFT'],
      ['7', 'RIGHT'],
      ['0', 'OK'],
      ['4294967291', 'FAILED'],
    ]);
  });

  test('are addresses with their ports where the key says so', () => {
    assert.deepEqual(labelsOfKey(keyOf('endpoints')).map(brief), [
      ['server', 20, 0, 'endpoint'],
      ['client_address', 16, 0, 'hex'],
      ['client_family', 2, 0, 'uint'],
      ['client_port', 2, 0, 'uint'],
    ]);
  });

  test('of a key that is no struct, or of no known type, are one label "key"', () => {
    assert.deepEqual(labelsOfKey(keyOf('scalar')).map(brief), [['key', 4, 0, 'uint']]);
    assert.deepEqual(labelsOfKey(keyOf('untyped')).map(brief), [['key', 4, 0, 'uint']]);
    assert.deepEqual(labelsOfKey({ size: 3, fields: () => [] }).map(brief), [['key', 3, 0, 'hex']]);
  });

  for (const [name, reason] of [
    [
      'bits',
      /the key of map "bits" does not tell the labels: member "a" is a bit-field; give the metric "labels"$/,
    ],
    ['many', /it has 17 members, and a series at most 16 labels; give/],
    ['twice', /two of its members would be the label "a_b"; give/],
    ['long_text', /its member "text" cannot be a label; give/],
  ] as const)
    test(`are refused: ${name}`, () => {
      const [metric] = parseMetricSpec(`metrics: { gauges: [{ name: ${name} }] }`, 'keys.yaml').metrics;
      assert.throws(() => withLabels(metric!, keyOf(name)), { message: reason });
    });

  test('tell the bucket of a histogram by its name', () => {
    const histogram = (name: string) =>
      parseMetricSpec(
        `metrics: { histograms: [{ name: ${name}, bucket_type: exp2, bucket_max: 3 }] }`,
        'keys.yaml',
      ).metrics[0]!;
    const labelled = withLabels(histogram('keyed'), keyOf('keyed'));
    assert.deepEqual(labelled.labels.map(brief), [['operation', 4, 0, 'uint']]);
    assert.deepEqual('bucketKey' in labelled && labelled.bucketKey, { size: 4, padding: 0 });
    assert.throws(() => withLabels(histogram('backwards'), keyOf('backwards')), {
      message: /the last member of the key must be an unsigned number called "bucket"; give/,
    });
  });
});
