import { type ParseArgsConfig, parseArgs } from 'node:util';
import { type Privilege, privileges } from '../config.ts';

/** Exit codes of every command. */
export const exit = { ok: 0, failed: 1, usage: 2 } as const;

/** Ends a command with one sentence on stderr and an exit code. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

type Options = NonNullable<ParseArgsConfig['options']>;

/** `parseArgs`, strict and without positionals; throws a CommandError for what it does not accept. */
export function parseOptions<const Accepted extends Options>(argv: string[], options: Accepted) {
  return accepted(() => parseArgs({ args: argv, options, strict: true, allowPositionals: false })).values;
}

/** The same with what stands beside the options. */
export function parseArguments<const Accepted extends Options>(argv: string[], options: Accepted) {
  return accepted(() => parseArgs({ args: argv, options, strict: true, allowPositionals: true }));
}

function accepted<Result>(parse: () => Result): Result {
  try {
    return parse();
  } catch (error) {
    // Node adds advice after the first sentence.
    const [first = ''] = (error as Error).message.split(/[.\n]/, 1);
    throw new CommandError(`${first}; see --help`, exit.usage);
  }
}

export function readPrivilege(value: string): Privilege {
  const known = privileges.find((privilege) => privilege === value);
  if (known === undefined)
    throw new CommandError(`--privilege ${value}: must be one of ${privileges.join(', ')}`, exit.usage);
  return known;
}

/** The value of `--image`: what no image reference can hold is refused, the rest is for the runtime to judge. */
export function readImage(image: string): string {
  if (!/^\S{1,512}$/.test(image))
    throw new CommandError('--image must be an image reference without spaces', exit.usage);
  return image;
}

/** Runs `body` and words its CommandError on stderr. Resolves to the exit code. */
export async function runCommand(name: string, body: () => Promise<number>): Promise<number> {
  try {
    return await body();
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    process.stderr.write(`bpf-sidecar ${name}: ${error.message}\n`);
    return error.exitCode;
  }
}
