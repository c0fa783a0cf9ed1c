import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readKernelSymbols } from '../../../../sidecar/series/decoders/kernel-symbols.ts';
import { createKstack } from '../../../../sidecar/series/decoders/kstack.ts';
import { u64 } from '../entries.ts';
import { withFile } from './temporary-file.ts';

const kallsyms = `\
ffffffff81000000 T do_syscall_64
ffffffff81000100 T ksys_write
ffffffff81000100 T alias_of_ksys_write
ffffffff81000200 T vfs_write
`;

test('kstack names the functions that the addresses of a stack are in, a line each', () => {
  const kstack = withFile(kallsyms, (path) => {
    const symbols = readKernelSymbols(path);
    return createKstack(() => symbols);
  });
  const stack = [0xffffffff81000210n, 0xffffffff81000100n, 0xffffffff810001ffn, 0xffffffff81000001n];
  assert.equal(kstack(u64(...stack, 0, 0)), 'vfs_write\nksys_write\nksys_write\ndo_syscall_64');
  assert.equal(kstack(u64(0xffffffff80ffffffn)), '??');
  assert.equal(kstack(u64(...stack).subarray(0, 8)), 'vfs_write');
  assert.equal(kstack(u64(0, 0)), '');
});
