import { join } from 'node:path';
import { neededCapabilities } from './contract/capabilities.ts';
import { createLineWriter, createLog, type Log } from './contract/log.ts';
import { mountPaths, paths } from './contract/pod.ts';
import { builtinProbes } from './contract/probes.ts';
import type { Format } from './exposition/format.ts';
import { negotiateFormat } from './exposition/negotiate.ts';
import { ownFamilies } from './exposition/own.ts';
import { createOwnMetrics, type OwnMetrics } from './metrics.ts';
import type { Identity } from './pod/identity.ts';
import { watchDirectory } from './pod/watch.ts';
import { createPrivilege, emptyOtherThreads, type Privilege } from './privilege.ts';
import { createProfileRoute } from './profile/route.ts';
import { renderLabels } from './series/labels.ts';
import { type Answer, closeServer, createHttpServer, listen, type Routes, text } from './server.ts';
import { createSidecar, isReady, problemsOf, type Sidecar } from './sidecar.ts';
import { reportOf } from './status.ts';
import { createPageRoutes } from './status-page.ts';

/** Milliseconds that the kubelet gets to finish a change of a volume. */
const settleTime = 100;

/**
 * Serves the metrics of the pod's probes until SIGTERM or SIGINT; `programs` are the directories of what the pod brought
 * itself. Resolves to the exit code.
 */
export async function serve(identity: Identity, port: number, programs: readonly string[]): Promise<number> {
  const write = createLineWriter(process.stdout);
  const log: Log = (...line) => createLog(write, sidecar.status.settings?.logLevel)(...line);
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
    ...createPageRoutes(() => reportOf(identity, sidecar)),
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

function ended(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve);
  });
}
