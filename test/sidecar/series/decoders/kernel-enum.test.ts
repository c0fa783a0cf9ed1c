import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode } from './decode.ts';

test("kernel_enum gives the running kernel's name of a number, in small letters and without the prefix", () => {
  // Of <linux/bpf.h>, whose numbers stay.
  const table = [
    ['02000000', 'BPF_MAP_TYPE_', 'array'],
    ['1b000000', 'BPF_MAP_TYPE_', 'ringbuf'],
    ['1b000000', '', 'bpf_map_type_ringbuf'],
    ['1b000000', 'BPF_PROG_TYPE_', 'bpf_map_type_ringbuf'],
    ['ffffffff', 'BPF_MAP_TYPE_', '4294967295'],
  ] as const;
  for (const [number, prefix, expected] of table)
    assert.equal(decode(number, 'uint', { name: 'kernel_enum', enum: 'bpf_map_type', prefix }), expected);
});

test('kernel_enum leaves numbers as they are where the kernel has no such enum', () => {
  const spec = { name: 'kernel_enum', enum: 'no_such_enum', prefix: '' } as const;
  assert.equal(decode('0c000000', 'uint', spec), '12');
});
