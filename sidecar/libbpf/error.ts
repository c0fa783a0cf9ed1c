import { getSystemErrorName } from 'node:util';

const maxWords = 600;

/** Something that libbpf or the kernel refused. The message is one sentence; `log` has all that was said. */
export class BpfError extends Error {
  readonly code: string;
  readonly log: string;
  /** The program that it is about, where it was one of an object's. */
  readonly program?: string;

  /** `errno` is positive; `log` is what libbpf printed, see captureLog; `remedy` follows the code, in brackets. */
  constructor(what: string, errno: number, log: string, program?: string, remedy?: string) {
    const code = errorName(errno);
    const words = lastWords(log);
    super(
      `${what}: ${code}${remedy ?? tooOld(words) ?? remedies[code] ?? ''}${words ? `; the kernel and libbpf say: ${words}` : ''}`,
    );
    this.name = 'BpfError';
    this.code = code;
    this.log = log;
    if (program !== undefined) this.program = program;
  }
}

const remedies: Record<string, string> = {
  EPERM: ' (not permitted: the container must be privileged, or have CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN)',
  ENOMEM: ' (no memory: raise the memory limit of the container)',
};

/** What a kernel says that has not what a program uses, and since when there is that. */
const later: readonly (readonly [RegExp, string])[] = [
  [
    /^number of funcs in func_info doesn't match/,
    'functions that are called back, as by bpf_loop: Linux 5.17',
  ],
  [/^Arg#\d+ type PTR in \w+\(\) is not supported/, 'pointers as arguments of global functions: Linux 5.12'],
];

function tooOld(words: string): string | undefined {
  const need = later.find(([pattern]) => pattern.test(words))?.[1];
  return need && ` (this kernel is too old for ${need} or later has them)`;
}

/** libbpf's own errors (enum libbpf_errno) begin here; all of them mean that the object is malformed. */
const LIBBPF_ERRNO_START = 4000;

/** The kernel's own "not supported", which errno(3) does not know. */
const ENOTSUPP = 524;

function errorName(errno: number): string {
  if (errno >= LIBBPF_ERRNO_START) return 'malformed object';
  if (errno === ENOTSUPP) return 'ENOTSUPP';
  try {
    return getSystemErrorName(-errno);
  } catch {
    return `error ${errno}`;
  }
}

/** Where eBPF is not permitted libbpf blames a limit; that the object did not load is known; and a log may be empty. */
const unhelpful = /RLIMIT_MEMLOCK|^failed to load object |-- BEGIN PROG LOAD LOG --/;

/** Lines of a verifier log that follow its complaint or trace the way to it: statistics, states, instructions, source. */
const trace = /^(processed \d+ insns|verification time|stack depth|cur state|old state|\d+: |; )/;

/**
 * What decides in a long log: of a verifier's log the complaint near its end, else libbpf's first line, which
 * names the cause where later ones only name what failed with it.
 */
export function lastWords(log: string): string {
  const lines = log
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !unhelpful.test(line));
  const end = lines.findIndex((line) => line.includes('-- END PROG LOAD LOG --'));
  const complaint = lines.slice(0, Math.max(end, 0)).findLast((line) => !trace.test(line));
  const words = complaint ?? lines[0] ?? '';
  return words.length > maxWords ? `${words.slice(0, maxWords)}…` : words;
}
