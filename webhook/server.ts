import { once } from 'node:events';
import { createServer as createHttpsServer, type Server } from 'node:https';
import { type AddressInfo, Server as TcpServer } from 'node:net';
import express, { type ErrorRequestHandler, type RequestHandler, type Response } from 'express';
import type { Log } from '../sidecar/contract/log.ts';
import type { Credentials } from './certificates/pem.ts';
import type { Metrics } from './metrics.ts';

/** Answers the JSON of a review, or returns a sentence about what is wrong with it. */
export type Answer = (review: unknown) => { review: object } | { problem: string };

/** What a client may take; times in milliseconds. */
export const limits = {
  /** Bytes: the API server's own limit for a request to it. */
  body: 3 * 1024 * 1024,
  /** About 70 KiB each. */
  connections: 512,
  handshake: 10_000,
  head: 10_000,
  request: 20_000,
  /** How often the two above are looked at. */
  check: 5_000,
};

export interface ServerOptions {
  /** Left out where they come later. */
  credentials?: Credentials;
  answers: Readonly<Record<`/${string}`, Answer>>;
  metrics: Metrics;
  log: Log;
  bounds?: Readonly<typeof limits>;
  /** Why it is not ready to be asked, if so. */
  problem?(): string | undefined;
}

/**
 * The HTTPS server: reviews by POST on the paths of `answers`, and `GET /healthz`, `GET /readyz`, `GET /metrics`. It
 * knows HTTP and nothing of pods. A request that is no review gets one sentence and 400, 413 (body above 3 MiB) or 415.
 */
export function createServer({
  credentials,
  answers,
  metrics,
  log,
  bounds = limits,
  problem = () => undefined,
}: ServerOptions): Server {
  const app = express().disable('x-powered-by').disable('etag');
  const server = createHttpsServer(
    {
      ...credentials,
      minVersion: 'TLSv1.2',
      handshakeTimeout: bounds.handshake,
      headersTimeout: bounds.head,
      requestTimeout: bounds.request,
      connectionsCheckingInterval: bounds.check,
      // The API server keeps idle connections for 90 s; were ours the shorter time, a review could be sent into
      // a connection that is being closed, and fail.
      keepAliveTimeout: 120_000,
    },
    app,
  );
  server.maxConnections = bounds.connections;

  /** Runs after the body is read, as the server may have begun to close meanwhile. */
  const closing: RequestHandler = (_, response, next) => {
    if (!server.listening) response.set('Connection', 'close');
    next();
  };
  const alive: RequestHandler = (_, response) => {
    sentence(response, 200, 'ok');
  };

  for (const [path, answer] of Object.entries(answers)) {
    app
      .route(path)
      .post(
        timed(metrics, path),
        jsonOnly,
        express.json({ limit: bounds.body, inflate: false }),
        closing,
        (request, response) => {
          const given = answer(request.body);
          if ('problem' in given) throw new Refusal(400, 'not-a-review', given.problem);
          response.json(given.review);
        },
      )
      .all((request, response) => {
        response.set('Allow', 'POST');
        sentence(response, 405, `${request.method} is not allowed on ${path}; use POST`);
      });
  }
  app.get('/healthz', alive);
  app.get('/readyz', (_, response) => {
    const found = problem();
    sentence(response, found === undefined ? 200 : 503, found ?? 'ok');
  });
  app.get('/metrics', async (_, response) => {
    response.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });
  app.use((_, response) => {
    const paths = [...Object.keys(answers), '/healthz', '/readyz'].join(', ');
    sentence(response, 404, `there is no such path; there are ${paths} and /metrics`);
  });
  app.use(refuse(metrics, log, bounds.body));

  server.on('drop', () => {
    metrics.droppedConnections.inc();
    // Who keeps them without asking anything gives way to whoever comes next.
    server.closeIdleConnections();
  });
  server.on('tlsClientError', (error: NodeJS.ErrnoException & { reason?: string }) => {
    // Mostly a caBundle that does not belong to this CA; a mere connection check (ECONNRESET) is not worth a line.
    if (error.code?.startsWith('ERR_SSL_')) log('warn', 'TLS handshake failed', { error: error.reason });
  });
  return server;
}

/** Listens, without a host on all addresses; resolves to the address as a URL. Rejects with the system's error, e.g. `EADDRINUSE`. */
export async function listen(server: Server, port: number, host: string | undefined): Promise<string> {
  server.listen(port, host);
  await once(server, 'listening');
  const { address, family, port: actual } = server.address() as AddressInfo;
  return `https://${family === 'IPv6' ? `[${address}]` : address}:${actual}`;
}

/** Time in which whoever keeps a connection may send one more request by it, and learns that it was the last. */
const linger = 5_000;

/** Stops listening and lets requests in flight finish, for `grace` milliseconds at most. */
export async function close(server: Server, grace: number): Promise<void> {
  const closed = once(server, 'close');
  // As a server of HTTP it would end idle connections at once, just when the API server sends a review by one of them.
  TcpServer.prototype.close.call(server);
  const timers = [
    setTimeout(() => server.closeIdleConnections(), linger),
    setTimeout(() => server.closeAllConnections(), grace),
  ];
  await closed;
  for (const timer of timers) clearTimeout(timer);
}

/** Why a request cannot be answered with a review, as the metric calls it. */
export const refusalReasons = ['incomplete', 'internal', 'not-a-review', 'not-json', 'too-large'] as const;

type RefusalReason = (typeof refusalReasons)[number];

/** A request that cannot be answered with a review. */
class Refusal extends Error {
  readonly status: number;
  readonly reason: RefusalReason;

  constructor(status: number, reason: RefusalReason, message: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

function timed({ duration }: Metrics, path: string): RequestHandler {
  return (_, response, next) => {
    const end = duration.startTimer({ path });
    response.once('finish', () => end());
    next();
  };
}

const jsonOnly: RequestHandler = (request, _, next) => {
  if (request.is('application/json') === false)
    throw new Refusal(415, 'not-json', 'the content type must be application/json');
  next();
};

function refuse({ admissions }: Metrics, log: Log, maxBody: number): ErrorRequestHandler {
  return (error, _request, response, _next) => {
    const { status, reason, message } = error instanceof Refusal ? error : bodyRefusal(error, maxBody);
    admissions.inc({ result: 'error', reason });
    log(status < 500 ? 'warn' : 'error', 'request refused', { status, reason, error: message });
    sentence(response, status, message);
  };
}

/** Words the errors of express.json; see the `type` list in https://github.com/expressjs/body-parser#errors */
function bodyRefusal(error: Error & { type?: string }, maxBody: number): Refusal {
  switch (error.type) {
    case 'entity.too.large':
      return new Refusal(413, 'too-large', `the body is above the limit of ${maxBody} bytes`);
    case 'entity.parse.failed':
      return new Refusal(400, 'not-json', `the body is not JSON: ${error.message.slice(0, 200)}`);
    case 'encoding.unsupported':
    case 'charset.unsupported':
      return new Refusal(415, 'not-json', 'the body must be JSON in UTF-8 without a content encoding');
    case 'request.aborted':
    case 'request.size.invalid':
      return new Refusal(400, 'incomplete', 'the body ended early');
    default:
      return new Refusal(500, 'internal', `the webhook failed: ${error.message}`);
  }
}

function sentence(response: Response, status: number, text: string): void {
  response.status(status).type('text/plain').send(`${text}\n`);
}
