import { BpfError } from './error.ts';
import { libbpf } from './native.ts';
import { type Program, programFd } from './object.ts';

/** Runs a loaded raw_tp program once, in the context of this thread (BPF_PROG_TEST_RUN). */
export function runProgram(program: Program): void {
  // struct bpf_test_run_opts: size_t sz; ... (the rest stays zero)
  const options = Buffer.alloc(80);
  options.writeBigUInt64LE(BigInt(options.length), 0);
  const result = libbpf.bpf_prog_test_run_opts(programFd(program), options);
  if (result < 0) throw new BpfError(`program ${program.name} cannot be run`, -result, '');
}
