#!/usr/bin/env node
import manifest from '../package.json' with { type: 'json' };

type Command = (argv: string[]) => Promise<number>;

/** Each loads only its own half: the sidecar must stay small in memory. */
const commands: ReadonlyMap<string, Command> = new Map([
  ['run', async (argv: string[]) => (await import('../sidecar/main.ts')).run(argv)],
  ['webhook', async (argv: string[]) => (await import('../webhook/main.ts')).webhook(argv)],
  ['inject', async (argv: string[]) => (await import('../webhook/cli/inject.ts')).inject(argv)],
  ['uninject', async (argv: string[]) => (await import('../webhook/cli/uninject.ts')).uninject(argv)],
  ['check', async (argv: string[]) => (await import('../webhook/cli/check.ts')).check(argv)],
  ['top', async (argv: string[]) => (await import('../webhook/cli/top.ts')).top(argv)],
]);

const help = `Usage: bpf-sidecar COMMAND [options]

Runs eBPF programs scoped to one pod and serves what they count as Prometheus metrics.

  run        the sidecar: attach the probes of the pod and serve its metrics
  webhook    serve the admission webhook that adds the sidecar to annotated pods
  inject     print manifests with the sidecar added
  uninject   print manifests without the sidecar
  check      tell whether the webhook of a cluster works, and which pods lack their sidecar and why
  top        show what the containers of a pod do, from its metrics

  --help     show this; "bpf-sidecar COMMAND --help" shows a command's options
  --version  show the version
`;

async function main([name = '', ...argv]: string[]): Promise<number> {
  if (name === '--help') {
    process.stdout.write(help);
    return 0;
  }
  if (name === '--version') {
    process.stdout.write(`${manifest.version}\n`);
    return 0;
  }
  const command = commands.get(name);
  if (command) return command(argv);
  const problem = name === '' ? 'a command is missing' : `there is no command ${JSON.stringify(name)}`;
  process.stderr.write(`bpf-sidecar: ${problem}; see bpf-sidecar --help\n`);
  return 2;
}

// A reader that has seen enough, such as head, is no reason for a stack trace.
process.stdout.on('error', () => process.exit(1));

// Not awaited at the top level, which the bundle's module format does not have.
main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
