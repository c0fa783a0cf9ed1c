import { parseArgs } from 'node:util';

export interface Options {
  /** Series such as `6.1`, whole releases such as `5.10.0-32`, or `newest`. */
  kernels: string[];
  /** Test files. */
  tests: string[];
  /** Whether it is no failure that there are no kernels to be had. */
  short: boolean;
  /** The file for the report, beside standard output. */
  out?: string;
}

/** A wrong command line: its message is for the user. */
export class UsageError extends Error {}

export const help = `Usage: npm run test:kernels -- [options] [TEST...]

Boots Debian's kernels for virtual machines under QEMU, without KVM, and runs tests there. Nothing is installed on this
machine and root is not needed: QEMU, the kernels and the machine's files come from Debian's packages, kept in
$XDG_CACHE_HOME/bpf-sidecar. Prints as a table in Markdown which probe was exact on which kernel, and what was refused.

  TEST                a probe (cpu), or a test file; the default is every probe and every type of program
  --kernels LIST      series (6.1), releases (5.10.0-32) or newest, with commas between (default 5.10,6.1,6.12,newest)
  --short             a test for each probe and each type of program, some five minutes for a kernel on two processors;
                      where Debian's packages cannot be had, it is skipped
  --out FILE          put the report into this file too, between its lines <!-- test:kernels --> and <!-- end -->
  --help              show this

Exit codes: 0 every test passed, or was skipped for what its kernel is known to lack, 1 one failed or a kernel took more or
less than it is known to, 2 wrong usage.
`;

/** Reads the command line; `help` when it asks for that. `allTests` and `shortTests` are what no TEST stands for. */
export function readOptions(
  argv: string[],
  probes: readonly string[],
  { all, short }: { all: string[]; short: string[] },
): Options | 'help' {
  const { values, positionals } = parse(argv);
  if (values.help) return 'help';
  const kernels = values.kernels.split(',').filter(Boolean);
  if (kernels.length === 0) throw new UsageError('--kernels: must name a kernel');
  for (const kernel of kernels)
    if (!/^(newest|\d+\.\d+(\.[\w.+~-]+)?)$/.test(kernel))
      throw new UsageError(
        `--kernels ${kernel}: must be newest, a series such as 6.1 or a release such as 5.10.0-32`,
      );
  const named = positionals.map((test) => {
    if (probes.includes(test)) return `test/bpf/${test}.test.ts`;
    if (/^test\/[\w./-]+\.test\.ts$/.test(test)) return test;
    throw new UsageError(`${test}: must be a probe (${probes.join(', ')}) or a file test/….test.ts`);
  });
  const tests = named.length > 0 ? named : values.short ? short : all;
  return { kernels, tests, short: values.short, ...(values.out !== undefined && { out: values.out }) };
}

function parse(argv: string[]) {
  try {
    return parseArgs({
      args: argv,
      allowPositionals: true,
      options: {
        kernels: { type: 'string', default: '5.10,6.1,6.12,newest' },
        short: { type: 'boolean', default: false },
        out: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(`${(error as Error).message}; see --help`);
  }
}
