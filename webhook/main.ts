import { isIP } from 'node:net';
import { serveAlone } from './alone.ts';
import { CommandError, exit, parseOptions, readImage, readPrivilege, runCommand } from './cli/command.ts';
import { serveCluster } from './cluster.ts';
import { readProgramFiles } from './programs/files.ts';
import type { Program } from './programs/resource.ts';

const help = `Usage: bpf-sidecar webhook --config FILE [--kubeconfig FILE] [options]
       bpf-sidecar webhook --image IMAGE --dns-name NAME --ca-out FILE [options]

Serves the admission webhooks over HTTPS: in a cluster as its configuration file says, or alone, without an API server
and with a certificate of its own CA.

  --config FILE      what the administrator decides; the Helm chart writes it from its values
  --kubeconfig FILE  where the API server is; without it, this is a pod of the cluster
  --host ADDRESS     address to listen on (default: all, IPv6 and IPv4)
  --port PORT        port to listen on; 0 takes a free one (default 8443)
  --help             show this

Alone:
  --image IMAGE      image of the sidecar
  --privilege LEVEL  of the sidecar: privileged (the default); capabilities, only those that its probes need; or
                     attach-only, the same, and given up once the probes are attached, which cannot change then
  --allow-node-wide  let a user's own programs run for the whole node when their metric spec asks for it
  --programs FILE    BPF resources (YAML) that the pods of every namespace may ask for (repeatable)
  --dns-name NAME    DNS name or IP address by which the API server calls (repeatable)
  --ca-out FILE      where to write the CA's certificate (PEM), for the caBundle

It logs a JSON object a line to stdout, "ready" with its address when it can be asked, and serves POST /mutate (pods),
POST /templates (workloads, of which it only warns), with --config POST /programs (BPF resources) and GET /healthz,
/readyz and /metrics. SIGTERM ends it after the requests in flight.

Exit codes: 0 ended by a signal, 1 could not start, 2 wrong usage or configuration.
`;

/** `bpf-sidecar webhook`: serves until SIGTERM or SIGINT. Resolves to the exit code. */
export function webhook(argv: string[]): Promise<number> {
  return runCommand('webhook', async () => {
    const values = parseOptions(argv, {
      config: { type: 'string' },
      kubeconfig: { type: 'string' },
      image: { type: 'string' },
      privilege: { type: 'string' },
      'allow-node-wide': { type: 'boolean' },
      programs: { type: 'string', multiple: true },
      'dns-name': { type: 'string', multiple: true },
      'ca-out': { type: 'string' },
      host: { type: 'string' },
      port: { type: 'string', default: '8443' },
      help: { type: 'boolean' },
    });
    if (values.help) {
      process.stdout.write(help);
      return exit.ok;
    }
    const { config, kubeconfig, host } = values;
    const port = readPort(values.port);
    if (config !== undefined) {
      const other = alone.find((option) => values[option] !== undefined);
      if (other)
        throw new CommandError(`--${other} is told by the file of --config; leave it out`, exit.usage);
      return serveCluster({ config, kubeconfig, host, port });
    }
    if (kubeconfig !== undefined)
      throw new CommandError('--kubeconfig needs --config; see --help', exit.usage);
    for (const option of ['image', 'dns-name', 'ca-out'] as const)
      if (!values[option]?.length) throw new CommandError(`--${option} is missing; see --help`, exit.usage);
    return serveAlone({
      image: readImage(values.image!),
      privilege: readPrivilege(values.privilege ?? 'privileged'),
      nodeWide: values['allow-node-wide'] ?? false,
      programs: readPrograms(values.programs ?? []),
      names: readNames(values['dns-name']!),
      caFile: values['ca-out']!,
      host,
      port,
    });
  });
}

/** Options that go without an API server only. */
const alone = ['image', 'privilege', 'allow-node-wide', 'programs', 'dns-name', 'ca-out'] as const;

function readPrograms(files: string[]): Map<string, Program> {
  try {
    return readProgramFiles(files);
  } catch (error) {
    throw new CommandError(`--programs ${(error as Error).message}`, exit.usage);
  }
}

const dnsName = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/i;

function readNames(names: string[]): string[] {
  const bad = names.find((name) => !dnsName.test(name) && !isIP(name));
  if (bad !== undefined)
    throw new CommandError(`--dns-name ${bad}: must be a DNS name or an IP address`, exit.usage);
  return names;
}

function readPort(value: string): number {
  const port = /^[0-9]{1,5}$/.test(value) ? Number(value) : Number.NaN;
  if (port <= 65535) return port;
  throw new CommandError(`--port ${value}: must be a number from 0 to 65535`, exit.usage);
}
