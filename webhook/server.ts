import { once } from 'node:events';
import { createServer as createHttpsServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import express, { type ErrorRequestHandler, type RequestHandler, type Response } from 'express';
import type { Log } from '../sidecar/contract/log.ts';
import type { Credentials } from './certificates/authority.ts';
import type { Metrics } from './metrics.ts';

/** Answers the JSON of a review, or returns a sentence about what is wrong with it. */
export type Mutate = (review: unknown) => { review: object } | { problem: string };

/** The API server's own limit for a request to it. */
const maxBody = 3 * 1024 * 1024;

/**
 * The HTTPS server: `POST /mutate`, `GET /healthz`, `GET /readyz`, `GET /metrics`. It knows HTTP and nothing of
 * pods. A request that is no review gets one sentence and 400, 413 (body above 3 MiB) or 415.
 */
export function createServer(credentials: Credentials, mutate: Mutate, metrics: Metrics, log: Log): Server {
  const app = express().disable('x-powered-by').disable('etag');
  const server = createHttpsServer(
    {
      ...credentials,
      handshakeTimeout: 10_000,
      headersTimeout: 10_000,
      requestTimeout: 20_000,
      connectionsCheckingInterval: 5_000,
      // The API server keeps idle connections for 90 s; were ours the shorter time, a review could be sent into
      // a connection that is being closed, and fail.
      keepAliveTimeout: 120_000,
    },
    app,
  );

  /** Runs after the body is read, as the server may have begun to close meanwhile. */
  const closing: RequestHandler = (_, response, next) => {
    if (!server.listening) response.set('Connection', 'close');
    next();
  };
  const alive: RequestHandler = (_, response) => {
    sentence(response, 200, 'ok');
  };

  app
    .route('/mutate')
    .post(
      timed(metrics),
      jsonOnly,
      express.json({ limit: maxBody, inflate: false }),
      closing,
      (request, response) => {
        const answer = mutate(request.body);
        if ('problem' in answer) throw new Refusal(400, 'not-a-review', answer.problem);
        response.json(answer.review);
      },
    )
    .all((request, response) => {
      response.set('Allow', 'POST');
      sentence(response, 405, `${request.method} is not allowed on /mutate; use POST`);
    });
  app.get('/healthz', alive);
  app.get('/readyz', alive);
  app.get('/metrics', async (_, response) => {
    response.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });
  app.use((_, response) => {
    sentence(response, 404, 'there is no such path; there are /mutate, /healthz, /readyz and /metrics');
  });
  app.use(refuse(metrics, log));

  server.on('tlsClientError', (error: NodeJS.ErrnoException & { reason?: string }) => {
    // Mostly a caBundle that does not belong to this CA; a mere connection check (ECONNRESET) is not worth a line.
    if (error.code?.startsWith('ERR_SSL_')) log('warn', 'TLS handshake failed', { error: error.reason });
  });
  return server;
}

/** Listens; resolves to the address as a URL. Rejects with the system's error, e.g. `EADDRINUSE`. */
export async function listen(server: Server, port: number, host: string): Promise<string> {
  server.listen(port, host);
  await once(server, 'listening');
  const { address, family, port: actual } = server.address() as AddressInfo;
  return `https://${family === 'IPv6' ? `[${address}]` : address}:${actual}`;
}

/** Stops listening and lets requests in flight finish, for `grace` milliseconds at most. */
export async function close(server: Server, grace: number): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  const timer = setTimeout(() => server.closeAllConnections(), grace);
  await closed;
  clearTimeout(timer);
}

/** A request that cannot be answered with a review; `reason` is its metric label. */
class Refusal extends Error {
  readonly status: number;
  readonly reason: string;

  constructor(status: number, reason: string, message: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

function timed({ duration }: Metrics): RequestHandler {
  return (_, response, next) => {
    const end = duration.startTimer();
    response.once('finish', () => end());
    next();
  };
}

const jsonOnly: RequestHandler = (request, _, next) => {
  if (request.is('application/json') === false)
    throw new Refusal(415, 'not-json', 'the content type must be application/json');
  next();
};

function refuse({ admissions }: Metrics, log: Log): ErrorRequestHandler {
  return (error, _request, response, _next) => {
    const { status, reason, message } = error instanceof Refusal ? error : bodyRefusal(error);
    admissions.inc({ result: 'error', reason });
    log(status < 500 ? 'warn' : 'error', 'request refused', { status, reason, error: message });
    sentence(response, status, message);
  };
}

/** Words the errors of express.json; see the `type` list in https://github.com/expressjs/body-parser#errors */
function bodyRefusal(error: Error & { type?: string }): Refusal {
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
