import { accessSync, constants } from 'node:fs';
import { parseArgs } from 'node:util';
import { type OwnFiles, objectEnd } from './own-program.ts';

export interface Options {
  seconds: number;
  keep: boolean;
  metricsOut?: string;
  own?: OwnFiles;
}

/** A wrong command line: its message is for the user. */
export class UsageError extends Error {}

export const help = `Usage: npm run demo -- [options]

Sends examples/pod.yaml through the real webhook over TLS, starts the pod as the patch describes it, in
cgroups and a network of its own on this machine, and shows the metrics of its sidecar. Needs root.

  --seconds N         how long to show the metrics (default 12)
  --keep              leave everything running after that, until Ctrl-C
  --metrics-out FILE  save the last scrape
  --program FILE      run this program of yours in the pod too: a compiled object, NAME.bpf.o
  --spec FILE         with this metric spec; without one its maps become counters
  --help              show this

Exit codes: 0 done, also when Ctrl-C ended the view; 1 something failed; 2 wrong usage; 130 or 143 ended by
a signal before the pod ran.
`;

/** Reads the command line; `help` when it asks for that. */
export function readOptions(argv: string[]): Options | 'help' {
  const values = parse(argv);
  if (values.help) return 'help';
  const seconds = /^[0-9]{1,5}$/.test(values.seconds) ? Number(values.seconds) : 0;
  if (seconds < 1)
    throw new UsageError(`--seconds ${values.seconds}: must be a whole number from 1 to 99999`);
  const metricsOut = values['metrics-out'];
  const own = readOwn(values);
  return {
    seconds,
    keep: values.keep,
    ...(metricsOut !== undefined && { metricsOut }),
    ...(own !== undefined && { own }),
  };
}

function readOwn({ program, spec }: ReturnType<typeof parse>): OwnFiles | undefined {
  if (program === undefined) {
    if (spec !== undefined) throw new UsageError(`--spec ${spec}: needs --program; see --help`);
    return undefined;
  }
  if (!program.endsWith(objectEnd)) throw new UsageError(`--program ${program}: must end with ${objectEnd}`);
  for (const [option, file] of Object.entries({ program, ...(spec !== undefined && { spec }) })) {
    try {
      accessSync(file, constants.R_OK);
    } catch (error) {
      throw new UsageError(`--${option} ${file}: cannot be read: ${(error as Error).message}`);
    }
  }
  return { program, ...(spec !== undefined && { spec }) };
}

function parse(argv: string[]) {
  try {
    return parseArgs({
      args: argv,
      options: {
        seconds: { type: 'string', default: '12' },
        keep: { type: 'boolean', default: false },
        'metrics-out': { type: 'string' },
        program: { type: 'string' },
        spec: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message}; see --help`);
  }
}
