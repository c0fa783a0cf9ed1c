import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSyscall } from '../../../../sidecar/series/decoders/syscall.ts';
import { decode } from './decode.ts';

test('syscall knows each architecture', () => {
  const table = [
    ['0', 'read', 'io_setup'],
    ['1', 'write', 'io_destroy'],
    ['57', 'fork', 'close'],
    ['63', 'uname', 'read'],
    ['64', 'semget', 'write'],
    ['221', 'fadvise64', 'execve'],
    ['231', 'exit_group', 'munlockall'],
    ['244', 'mq_notify', 'unknown_syscall:244'],
    ['260', 'fchownat', 'wait4'],
    ['334', 'rseq', 'unknown_syscall:334'],
    ['435', 'clone3', 'clone3'],
    ['451', 'cachestat', 'cachestat'],
    ['469', 'file_setattr', 'file_setattr'],
    ['100000', 'unknown_syscall:100000', 'unknown_syscall:100000'],
  ] as const;
  const [x64, arm64] = [createSyscall('x64'), createSyscall('arm64')];
  for (const [number, onX64, onArm64] of table) {
    assert.equal(x64(number), onX64);
    assert.equal(arm64(number), onArm64);
  }
});

test('syscall follows uint, on the architecture of this machine', () => {
  assert.equal(decode('b3010000', 'uint', 'syscall'), 'clone3');
});
