import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BpfError, lastWords } from '../../../sidecar/libbpf/error.ts';

test('of a verifier log the complaint is kept, not the statistics after it', () => {
  const log = [
    "prog 'x': BPF program load failed: Permission denied",
    "prog 'x': -- BEGIN PROG LOAD LOG --",
    '0: (b7) r1 = 8',
    "R1 invalid mem access 'scalar'",
    'processed 2 insns (limit 1000000) max_states_per_insn 0',
    '-- END PROG LOAD LOG --',
    "prog 'x': failed to load: -13",
  ].join('\n');
  assert.equal(lastWords(log), "R1 invalid mem access 'scalar'");
});

test('a loop without end is named, not the states that show it', () => {
  const log = [
    "prog 'x': -- BEGIN PROG LOAD LOG --",
    'infinite loop detected at insn 2',
    'cur state: R0=scalar() R10=fp0',
    'old state: R0=scalar() R10=fp0',
    'processed 94 insns (limit 1000000)',
    '-- END PROG LOAD LOG --',
  ].join('\n');
  assert.equal(lastWords(log), 'infinite loop detected at insn 2');
});

test('of a verifier that says nothing the failure is kept', () => {
  const log = [
    "prog 'x': BPF program load failed: Invalid argument",
    "prog 'x': -- BEGIN PROG LOAD LOG --",
    'processed 0 insns (limit 1000000)',
    '-- END PROG LOAD LOG --',
  ].join('\n');
  assert.equal(lastWords(log), "prog 'x': BPF program load failed: Invalid argument");
});

test('without a verifier log the first line names the cause', () => {
  assert.equal(
    lastWords('failed to find valid kernel BTF\nError loading vmlinux BTF: -3\n'),
    'failed to find valid kernel BTF',
  );
  assert.equal(lastWords(''), '');
});

test('a missing permission tells what to do', () => {
  const { message, code } = new BpfError('object x cannot be loaded', 1, '');
  assert.equal(code, 'EPERM');
  assert.equal(
    message,
    'object x cannot be loaded: EPERM (not permitted: the container must be privileged, or have CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN)',
  );
});

test('a kernel that is too old for what a program uses is told', () => {
  const log = [
    "prog 'x': -- BEGIN PROG LOAD LOG --",
    "number of funcs in func_info doesn't match number of subprogs",
    '-- END PROG LOAD LOG --',
  ].join('\n');
  assert.equal(
    new BpfError('program x cannot be loaded', 22, log).message,
    'program x cannot be loaded: EINVAL (this kernel is too old for functions that are called back, as by bpf_loop: Linux 5.17 or later has them); the kernel and libbpf say: ' +
      "number of funcs in func_info doesn't match number of subprogs",
  );
});

test('a log without end is cut', () => {
  assert.ok(new BpfError('x', 22, 'y'.repeat(100_000)).message.length < 1000);
});
