import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readAnnotations } from './contract/annotations.ts';
import { neededCapabilities } from './contract/capabilities.ts';
import { createLog, type Log } from './contract/log.ts';
import { environment, mountPaths, paths } from './contract/pod.ts';
import { builtinProbes } from './contract/probes.ts';
import type { Format } from './exposition/format.ts';
import { negotiateFormat } from './exposition/negotiate.ts';
import { ownFamilies } from './exposition/own.ts';
import { createOwnMetrics, type OwnMetrics } from './metrics.ts';
import { subdirectories } from './pod/cgroups.ts';
import { type Identity, readIdentity } from './pod/identity.ts';
import { watchDirectory } from './pod/watch.ts';
import { createPrivilege, emptyOtherThreads, limitCapabilities, type Privilege } from './privilege.ts';
import { createProfileRoute } from './profile/route.ts';
import { readingOption, runReading } from './read-spec.ts';
import { renderLabels } from './series/labels.ts';
import { type Answer, closeServer, createHttpServer, listen, type Routes, text } from './server.ts';
import { createSidecar, isReady, problemsOf, type Sidecar } from './sidecar.ts';
import { renderStatus } from './status.ts';
import { runTrial, trialOption } from './trial.ts';

const help = `Usage: bpf-sidecar run

Runs in a pod as the webhook sets it up: attaches the probes that the pod's annotations ask for to the pod's
cgroup and serves what they count.

  --help         show this
  --try-object   only load the eBPF object on stdin, and end: the sidecar has one of itself do that first, since a
                 malformed object may crash libbpf
  --read-spec=NAME
                 only read the metric spec on stdin, write it as JSON, and end: likewise, since one may exhaust the memory

Environment (the webhook sets it):
  POD_NAMESPACE, POD_NAME, POD_UID, NODE_NAME   who the pod is
  BPF_SIDECAR_PORT                              port to serve on

It serves
  /metrics   Prometheus text or OpenMetrics
  /healthz   200 while the process works
  /readyz    200 when every probe is attached; with ?fail-open=true also when one has failed for good
  /debug/pprof/profile?seconds=10
             with the probe profile: what was on the CPUs in the next 1 to 60 seconds, for go tool pprof
  /          a page for people: what is attached, and why something is not

Exit codes: 0 ended by SIGTERM or SIGINT, 1 could not start, 2 wrong usage or environment.
`;

/** Milliseconds that the kubelet gets to finish a change of a volume. */
const settleTime = 100;

/** The command `bpf-sidecar run`: serves until SIGTERM or SIGINT. Resolves to the exit code. */
export async function run(argv: string[]): Promise<number> {
  // A small Buffer that lives long keeps the whole block alive of which it is a part: 64 KiB by default.
  Buffer.poolSize = 4096;
  let identity: Identity;
  let port: number;
  try {
    const { values } = parseArgs({
      args: argv,
      options: {
        help: { type: 'boolean' },
        [trialOption]: { type: 'boolean' },
        [readingOption]: { type: 'string' },
      },
    });
    if (values.help) {
      process.stdout.write(help);
      return 0;
    }
    if (values[trialOption]) return runTrial();
    if (values[readingOption] !== undefined) return await runReading(values[readingOption]);
    identity = readIdentity(process.env);
    port = readPort(process.env[environment.port]);
  } catch (error) {
    process.stderr.write(`bpf-sidecar run: ${(error as Error).message}\n`);
    return 2;
  }

  const log: Log = (...line) => createLog(write, sidecar.status.settings?.logLevel)(...line);
  const programs = subdirectories(mountPaths.programs);
  limitCapabilities([...neededCapabilities(builtinProbes, programs, port), 'SYS_RESOURCE']);
  const emptied = emptyOtherThreads();
  const privilege = createPrivilege();
  const later = neededCapabilities(builtinProbes, programs);
  const { sidecar, update } = createSidecar(identity, log, privilege, later);
  if (!emptied)
    log('warn', 'threads that need no capabilities keep them, because the container lacks CAP_SETUID');
  const own = createOwnMetrics(sidecar);
  const server = createHttpServer(routesOf(identity, sidecar, own, privilege), (error) =>
    log('error', 'a request failed', { error: error.message }),
  );
  const directories = programs.map((name) => join(mountPaths.programs, name));
  const watched = [mountPaths.podInfo, ...directories].map((directory) =>
    watchDirectory(directory, settleTime, async () => {
      const result = await update();
      if (result !== undefined) own.configChanges.inc({ result });
    }),
  );
  try {
    const listening = privilege.during(() => listen(server, port));
    update();
    log('info', 'listening', { port: await listening });
    const signal = await ended();
    log('info', 'ending', { signal });
    await closeServer(server);
    return 0;
  } catch (error) {
    process.stderr.write(`bpf-sidecar run: ${(error as Error).message}\n`);
    return 1;
  } finally {
    for (const stop of watched) stop();
    await sidecar.close();
  }
}

function write(line: string): void {
  process.stdout.write(line);
}

function routesOf(identity: Identity, sidecar: Sidecar, own: OwnMetrics, privilege: Privilege): Routes {
  return {
    [paths.metrics]: ({ accept }): Answer => {
      const format = negotiateFormat(accept);
      return { status: 200, contentType: format.contentType, body: scrape(format, identity, sidecar, own) };
    },
    [paths.health]: () => text(200, 'ok'),
    [paths.ready]: ({ query }) => {
      const { status } = sidecar;
      if (isReady(status)) return text(200, 'every probe is attached');
      if (!status.settled) return text(503, 'attaching');
      const problems = problemsOf(status).join('\n');
      return text(query.get('fail-open') === 'true' ? 200 : 503, problems);
    },
    [paths.profile]: createProfileRoute(sidecar, privilege),
    '/': () => text(200, renderStatus(identity, sidecar.status)),
  };
}

/** Everything that a scrape gives, in pieces. */
async function* scrape(
  format: Format,
  identity: Identity,
  sidecar: Sidecar,
  own: OwnMetrics,
): AsyncGenerator<Buffer> {
  const end = own.scrapeDuration.startTimer();
  const { namespace, pod, node } = identity;
  const labels = renderLabels(Object.entries({ namespace, pod, node, ...sidecar.podLabels() }));
  yield* format.write(
    sidecar.read((probe) => own.readErrors.inc({ probe })),
    labels,
  );
  yield* format.write(await ownFamilies(own.registry), labels);
  yield Buffer.from(format.end);
  end();
}

/** The port of the injected container; its default is that of the annotation. */
function readPort(value: string | undefined): number {
  if (value === undefined) return readAnnotations({}).settings.metricsPort;
  const port = /^[0-9]{1,5}$/.test(value) ? Number(value) : Number.NaN;
  if (port <= 65535) return port;
  throw new Error(`environment variable ${environment.port}=${value} must be a port number from 0 to 65535`);
}

function ended(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve);
  });
}
