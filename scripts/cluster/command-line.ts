import { parseArgs } from 'node:util';

export interface Script {
  /** As it is in front of what goes wrong. */
  name: string;
  help: string;
  /** Names of its options beside `help`; none has a value. */
  switches?: readonly string[];
  /** Resolves to the exit code. */
  main(chosen: ReadonlySet<string>): Promise<number>;
}

/** Runs a script as its command line says, or tells its help, or with exit code 2 what is wrong there. */
export async function runScript({ name, help, switches = [], main }: Script): Promise<void> {
  const chosen = readSwitches([...switches, 'help']);
  if (chosen instanceof Error) {
    process.stderr.write(`${name}: ${chosen.message}; see --help\n`);
    process.exitCode = 2;
  } else if (chosen.has('help')) process.stdout.write(help);
  else process.exitCode = await main(chosen);
}

function readSwitches(names: readonly string[]): ReadonlySet<string> | Error {
  const options = Object.fromEntries(names.map((name) => [name, { type: 'boolean' } as const]));
  try {
    return new Set(Object.keys(parseArgs({ options }).values));
  } catch (error) {
    return error as Error;
  }
}
