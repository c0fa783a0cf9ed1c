import { writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { createLog } from '../sidecar/contract/log.ts';
import { createAuthority } from './certificates/authority.ts';
import { renewCertificate } from './certificates/renewal.ts';
import { CommandError, exit, parseOptions, readImage, readPrivilege, runCommand } from './cli/command.ts';
import { injectionConfig, type Privilege } from './config.ts';
import { createMetrics } from './metrics.ts';
import { createMutate } from './mutate.ts';
import { close, createServer, listen } from './server.ts';
import { createTemplateCheck } from './templates.ts';

const help = `Usage: bpf-sidecar webhook --image IMAGE --dns-name NAME --ca-out FILE [options]

Serves the mutating admission webhook over HTTPS, with a certificate of its own CA.

  --image IMAGE      image of the sidecar
  --privilege LEVEL  of the sidecar: privileged (the default); capabilities, only those that its probes need; or
                     attach-only, the same, and given up once the probes are attached, which cannot change then
  --allow-node-wide  let a user's own programs run for the whole node when their metric spec asks for it
  --dns-name NAME    DNS name or IP address by which the API server calls (repeatable)
  --ca-out FILE      where to write the CA's certificate (PEM), for the caBundle
  --host ADDRESS     address to listen on (default 0.0.0.0)
  --port PORT        port to listen on; 0 takes a free one (default 8443)
  --help             show this

It logs a JSON object a line to stdout, "ready" with its address when it listens, and serves POST /mutate
(pods), POST /templates (workloads, only to warn), and GET /healthz, /readyz and /metrics. SIGTERM ends it after the
requests in flight.

Exit codes: 0 ended by a signal, 1 could not start, 2 wrong usage.
`;

/** Time that requests in flight get to finish; the API server waits for no webhook longer than 30 s. */
const shutdownGrace = 30_000;

/** `bpf-sidecar webhook`: serves until SIGTERM or SIGINT. Resolves to the exit code. */
export function webhook(argv: string[]): Promise<number> {
  return runCommand('webhook', async () => {
    const options = readOptions(argv);
    if (options === 'help') {
      process.stdout.write(help);
      return exit.ok;
    }
    return serve(options);
  });
}

interface Options {
  image: string;
  privilege: Privilege;
  nodeWide: boolean;
  names: string[];
  caFile: string;
  host: string;
  port: number;
}

const dnsName = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/i;

function readOptions(argv: string[]): Options | 'help' {
  const values = parseOptions(argv, {
    image: { type: 'string' },
    privilege: { type: 'string', default: 'privileged' },
    'allow-node-wide': { type: 'boolean', default: false },
    'dns-name': { type: 'string', multiple: true },
    'ca-out': { type: 'string' },
    host: { type: 'string', default: '0.0.0.0' },
    port: { type: 'string', default: '8443' },
    help: { type: 'boolean' },
  });
  if (values.help) return 'help';
  for (const option of ['image', 'dns-name', 'ca-out'] as const) {
    if (!values[option]?.length) throw new CommandError(`--${option} is missing; see --help`, exit.usage);
  }
  const names = values['dns-name'] ?? [];
  const badName = names.find((name) => !dnsName.test(name) && !isIP(name));
  if (badName !== undefined)
    throw new CommandError(`--dns-name ${badName}: must be a DNS name or an IP address`, exit.usage);
  const port = /^[0-9]{1,5}$/.test(values.port) ? Number(values.port) : Number.NaN;
  if (!(port <= 65535))
    throw new CommandError(`--port ${values.port}: must be a number from 0 to 65535`, exit.usage);
  return {
    image: readImage(values.image!),
    privilege: readPrivilege(values.privilege),
    nodeWide: values['allow-node-wide'],
    names,
    caFile: values['ca-out']!,
    host: values.host,
    port,
  };
}

async function serve({ image, privilege, nodeWide, names, caFile, host, port }: Options): Promise<number> {
  const log = createLog((line) => process.stdout.write(line));
  const metrics = createMetrics();
  const authority = await createAuthority();
  const issue = () => authority.issue(names);
  const admission = {
    config: {
      sidecar: injectionConfig(image, { privilege, nodeWide }),
      invalidAnnotations: 'admit' as const,
    },
    metrics,
    log,
  };
  const server = createServer(
    await issue(),
    { '/mutate': createMutate(admission), '/templates': createTemplateCheck(admission) },
    metrics,
    log,
  );

  await writeFile(caFile, authority.certificate).catch((error: Error) => {
    throw new CommandError(`--ca-out ${caFile}: cannot write the file: ${error.message}`, exit.failed);
  });
  const address = await listen(server, port, host).catch((error: NodeJS.ErrnoException) => {
    throw new CommandError(`cannot listen on ${host} port ${port}: ${listenProblem(error)}`, exit.failed);
  });
  const stopRenewal = renewCertificate(server, issue, () => log('info', 'certificate renewed'));
  log('info', 'ready', { address });

  const signal = await ended();
  log('info', 'ending', { signal });
  stopRenewal();
  await close(server, shutdownGrace);
  return exit.ok;
}

function listenProblem(error: NodeJS.ErrnoException): string {
  if (error.code === 'EADDRINUSE') return 'the port is in use; choose another with --port';
  if (error.code === 'EACCES') return 'ports below 1024 need more permission; choose another with --port';
  return error.message;
}

function ended(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve);
  });
}
