import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { compileProgram } from '../../scripts/bpf/compile-program.ts';
import { textFormat } from '../../sidecar/exposition/text.ts';
import { ownHooks } from '../../sidecar/programs/hooks/hooks.ts';
import { startCompiled } from '../support/author.ts';
import { type BarePod, makeBarePod } from '../support/bare-pod.ts';
import { output } from '../support/pod.ts';

/** Upper bounds of buckets, and one more than each. */
const values = [1, 2, 3, 4, 5, 8, 9, 16, 17];

const bounds = {
  exp2: [1, 2, 4, 8, 16],
  linear: Array.from({ length: 16 }, (_, index) => index + 1),
  fixed: [2, 8, 16],
};
const buckets = {
  exp2: 'bucket_type: exp2, bucket_max: 4',
  linear: 'bucket_type: linear, bucket_min: 1, bucket_max: 16',
  fixed: 'bucket_type: fixed, bucket_keys: [2, 8, 16]',
};

const onWrite = (body: string) => `
struct call { __u64 head, number, file, data, size; };
SEC("tracepoint/syscalls/sys_enter_write") int on_write(struct call *call) {
    __u64 size = call->size;
    ${body}
    return 0;
}`;

const map = (name: string, type: string, key: string, value: string, entries: number) => `
struct {
    __uint(type, BPF_MAP_TYPE_${type});
    __uint(max_entries, ${entries});
    __type(key, ${key});
    __type(value, ${value});
} ${name} SEC(".maps");`;

/** The number of the first bound that a size does not exceed. */
const fixedBucket = 'size <= 2 ? 0 : size <= 8 ? 1 : size <= 16 ? 2 : 3';

const inArrays = (type: string) => `
#include "maps.bpf.h"
struct sizes { HISTOGRAM(exp2, 5); HISTOGRAM(linear, 16); HISTOGRAM(fixed, 3); };
static const struct sizes none;
${map('sizes', type, '__u32', 'struct sizes', 1)}
${onWrite(`__u32 key = 0;
    struct sizes *own = find_or_make(&sizes, &key, &none);
    if (!own) return 0;
    observe(own->exp2, 5, ceil_log2(size), size);
    observe(own->linear, 16, size - 1, size);
    observe(own->fixed, 3, ${fixedBucket}, size);`)}`;

const inKeys = (type: string) => `
#include "maps.bpf.h"
struct key { __u32 group; __u32 bucket; };
static const __u64 zero;
${['exp2', 'linear', 'fixed'].map((name) => map(`by_${name}`, type, 'struct key', '__u64', 64)).join('')}
static __always_inline void count(void *map, __u32 bucket, __u64 n) {
    struct key key = { .group = 7, .bucket = bucket };
    __u64 *entry = find_or_make(map, &key, &zero);
    if (entry) add(*entry, n);
}
${onWrite(`__u32 bucket = ceil_log2(size);
    count(&by_exp2, bucket <= 4 ? bucket : 6, 1);
    count(&by_exp2, 5, size);
    count(&by_linear, size <= 16 ? size : 18, 1);
    count(&by_linear, 17, size);
    count(&by_fixed, size <= 2 ? 2 : size <= 8 ? 8 : size <= 16 ? 16 : 18, 1);
    count(&by_fixed, 17, size);`)}`;

const number = (name: string) => `{ name: ${name}, size: 4, decoders: [{ name: uint }] }`;
const layouts = [
  ...['HASH', 'ARRAY', 'PERCPU_HASH', 'PERCPU_ARRAY'].map((type) => ({
    what: `arrays in a map of type ${type}`,
    code: inArrays(type),
    fields: (name: string) => `map: sizes, value: ${name}, labels: []`,
    label: '',
  })),
  ...['HASH', 'PERCPU_HASH'].map((type) => ({
    what: `keys of a map of type ${type}`,
    code: inKeys(type),
    fields: (name: string) => `map: by_${name}, labels: [${number('group')}, ${number('bucket')}]`,
    label: 'group="7",',
  })),
];

/** A write of each size on each CPU. */
const work = `
import os
null = os.open('/dev/null', os.O_WRONLY)
for cpu in sorted(os.sched_getaffinity(0)):
    os.sched_setaffinity(0, {cpu})
    for size in (${values}):
        os.write(null, b'x' * size)
`;

describe('a histogram', () => {
  let bare: BarePod;
  before(async () => {
    bare = await makeBarePod();
  });
  after(() => bare.destroy());

  for (const { what, code, fields, label } of layouts)
    test(`has an event at a bound below it and one above the last only in +Inf: ${what}`, async (t) => {
      const names = ['exp2', 'linear', 'fixed'] as const;
      const histograms = names.map((name) => `{ name: ${name}, ${fields(name)}, ${buckets[name]} }`);
      const yaml = `metrics: { histograms: [${histograms.join(', ')}] }`;
      // Before the probe: nproc writes too.
      const cpus = Number(await output(bare.web, 'nproc'));
      const probe = startCompiled(await compileProgram(code), bare.pod, ownHooks, yaml);
      t.after(() => probe.close());
      await output(bare.web, '/usr/bin/python3', '-c', work);
      const text = textFormat.render(probe.read(), '').toString();
      const events = values.length * cpus;
      const braces = label === '' ? '' : `{${label.slice(0, -1)}}`;
      assert.deepEqual(
        text.split('\n').filter((line) => line !== '' && !line.startsWith('#')),
        names.flatMap((name) => [
          ...bounds[name].map(
            (bound) =>
              `bpf_${name}_bucket{${label}le="${bound}"} ${cpus * values.filter((value) => value <= bound).length}`,
          ),
          `bpf_${name}_bucket{${label}le="+Inf"} ${events}`,
          `bpf_${name}_sum${braces} ${cpus * values.reduce((sum, value) => sum + value, 0)}`,
          `bpf_${name}_count${braces} ${events}`,
        ]),
      );
    });
});
