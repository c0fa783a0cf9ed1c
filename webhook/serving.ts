import type { Server } from 'node:https';
import type { Log } from '../sidecar/contract/log.ts';
import { CommandError, exit } from './cli/command.ts';
import { close, listen } from './server.ts';

/** Time that requests in flight get to finish; the API server waits for no webhook longer than 30 s. */
const shutdownGrace = 30_000;

/** What runs beside the server. */
export interface Companions {
  /** Resolves when the server can be asked. */
  ready: Promise<unknown>;
  stop(): void;
}

/** Listens, starts what runs beside the server, and ends both at SIGTERM or SIGINT. Resolves to the exit code. */
export async function serveUntilSignal(
  server: Server,
  { host, port }: { host: string | undefined; port: number },
  log: Log,
  start: () => Companions,
): Promise<number> {
  const address = await listen(server, port, host).catch((error: NodeJS.ErrnoException) => {
    throw new CommandError(
      `cannot listen on ${host ?? 'any address,'} port ${port}: ${listenProblem(error)}`,
      exit.failed,
    );
  });
  const companions = start();
  void companions.ready.then(() => log('info', 'ready', { address }));

  const signal = await ended();
  log('info', 'ending', { signal });
  companions.stop();
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
