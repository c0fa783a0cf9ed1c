import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { compileProgram } from '../../../scripts/bpf/compile-program.ts';
import { BpfError } from '../../../sidecar/libbpf/error.ts';
import { lookupElement, updateElement } from '../../../sidecar/libbpf/map.ts';
import {
  closeObject,
  findMap,
  findMember,
  loadObject,
  mapFd,
  openObject,
  setConstants,
} from '../../../sidecar/libbpf/object.ts';
import { runProgram } from '../../../sidecar/libbpf/run.ts';
import { readObject } from '../../../sidecar/objects.ts';

const constants = `
#include "kernel.bpf.h"
const volatile __u64 wide = 1;
const volatile int narrow = 2;
struct pair { __u64 first; __u32 second[3]; };
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 4); __type(key, __u32); __type(value, __u64); } seen SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 4); __type(key, __u32); __type(value, struct pair); } pairs SEC(".maps");
static void store(__u32 key, __u64 value) { bpf_map_update_elem(&seen, &key, &value, BPF_ANY); }
SEC("raw_tp") int copy(void *ctx) { store(0, wide); store(1, narrow); return 0; }
`;

const refused = `
#include "kernel.bpf.h"
SEC("raw_tp") int reads_through_null(void *ctx) { return *(int *)8; }
`;

describe('an object', () => {
  let elf: Buffer;
  before(async () => {
    elf = await compileProgram(constants);
  });

  test('runs with the constants and variables set before loading', () => {
    const object = openObject('constants', elf);
    after(() => closeObject(object));
    setConstants(object, { wide: 2n ** 63n + 5n, narrow: -7, unknown: 1 });
    loadObject(object);
    runProgram(object.programs[0]!);
    const seen = mapFd(findMap(object, 'seen'));
    const read = (key: number) => lookupElement(seen, uint32(key), 8).readBigInt64LE();
    assert.equal(BigInt.asUintN(64, read(0)), 2n ** 63n + 5n);
    assert.equal(read(1), -7n);
  });

  test('tells programs, maps and the members of a value', () => {
    const object = openObject('constants', elf);
    after(() => closeObject(object));
    assert.deepEqual(
      object.programs.map(({ name, section }) => [name, section]),
      [['copy', 'raw_tp']],
    );
    const { keySize, valueSize, maxEntries } = findMap(object, 'pairs');
    assert.deepEqual({ keySize, valueSize, maxEntries }, { keySize: 4, valueSize: 24, maxEntries: 4 });
    assert.deepEqual(findMember(object, 'pairs', 'second'), {
      name: 'second',
      offset: 8,
      size: 12,
      signed: false,
    });
  });

  test('names what there is when asked for what there is not', () => {
    const object = openObject('constants', elf);
    after(() => closeObject(object));
    assert.throws(() => findMap(object, 'gone'), {
      message: 'object constants has no map gone; it has seen, pairs',
    });
    assert.throws(() => findMember(object, 'pairs', 'third'), {
      message: 'map pairs of object constants has no value member third; it has first, second',
    });
  });
});

describe('an object that cannot be had', () => {
  test('is no ELF file', () => {
    assert.throws(() => openObject('mine', Buffer.from('#!/bin/sh\n')), {
      message: 'object mine is not an ELF file: compile the program with clang -target bpf',
    });
    assert.throws(() => openObject('mine', Buffer.alloc(0)), /is not an ELF file/);
  });

  test('is an ELF file cut short, at whatever byte', () => {
    const elf = readObject('network');
    for (let length = 4; length < elf.length; length += 997)
      assert.throws(
        () => closeObject(openObject('mine', elf.subarray(0, length))),
        /^BpfError: object mine cannot be opened: |^RangeError|not BTF/,
        `cut at ${length}`,
      );
  });

  test('is refused by the verifier, in whose words the error says why', async () => {
    const object = openObject('refused', await compileProgram(refused));
    after(() => closeObject(object));
    assert.throws(
      () => loadObject(object),
      (error: unknown) => {
        assert.ok(error instanceof BpfError);
        assert.match(
          error.message,
          /^program reads_through_null cannot be loaded: E[A-Z]+.*the kernel and libbpf say: .*invalid mem access 'scalar'/,
        );
        assert.match(error.log, /BEGIN PROG LOAD LOG/);
        return true;
      },
    );
  });

  test('is called in the error what its author knows it by', async () => {
    const object = openObject('refused', await compileProgram(refused));
    after(() => closeObject(object));
    assert.throws(
      () => loadObject(object, 'program wakeup: the dispatcher for its hook'),
      /^BpfError: program wakeup: the dispatcher for its hook cannot be loaded: E[A-Z]+/,
    );
  });

  test('wants a kernel type that does not exist', async () => {
    const object = openObject(
      'newer',
      await compileProgram(`
      #include "kernel.bpf.h"
      struct not_in_this_kernel { int x; } __attribute__((preserve_access_index));
      SEC("raw_tp") int touch(struct not_in_this_kernel **ctx) { return ctx[0]->x ? 1 : 0; }
    `),
    );
    after(() => closeObject(object));
    assert.throws(() => loadObject(object), /program touch cannot be loaded: .*(CO-RE|invalid|relo)/s);
  });
});

test('an update of a map that is full is an error with its code', async () => {
  const object = openObject('constants', await compileProgram(constants));
  after(() => closeObject(object));
  loadObject(object);
  const pairs = mapFd(findMap(object, 'pairs'));
  for (let key = 0; key < 4; key++) updateElement(pairs, uint32(key), Buffer.alloc(24));
  assert.throws(() => updateElement(pairs, uint32(4), Buffer.alloc(24)), { code: 'E2BIG' });
});

function uint32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
}
