import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { createGzip, gunzipSync, gzipSync } from 'node:zlib';
import Negotiator from 'negotiator';
import { type Gathered, gather, takingTurns, whole } from './body.ts';

/** What a path answers. */
export interface Answer {
  status: number;
  contentType: string;
  /** In one or, where it may be long, in pieces that are made one after the other. */
  body: string | Buffer | AsyncGenerator<Buffer>;
  /** Whether its content is compressed already, and compressing it for the way would be in vain. */
  isCompressed?: boolean;
  /** Whether its body, in one, is what gzip made of the content, and is unpacked for who does not accept that. */
  isZipped?: boolean;
  headers?: Readonly<Record<string, string>>;
}

/**
 * What answers a GET: `query` is what follows the question mark; `gone` tells when nobody waits for the answer any more.
 */
export type Route = (request: {
  accept: string;
  query: URLSearchParams;
  gone: AbortSignal;
}) => Answer | Promise<Answer>;

/** By path. */
export type Routes = Readonly<Record<string, Route>>;

/** Bytes of a body from which on it is compressed: below, it fits into one packet anyway. */
const gzipThreshold = 1024;
/**
 * A scrape shrinks to a fifteenth at the fastest level; zlib's default, 6, makes that a tenth smaller still, in
 * four times the time.
 */
const gzipOptions = { level: 1 };
/**
 * Bytes of a body that are kept and compressed at once, in at most some 6 ms. What is longer is compressed in a thread,
 * whose first use brings memory of its own into the process, for good.
 */
const zippedAtOnce = 4 * 1024 * 1024;
/** Bytes of a body that are sent at once, with their number; what is longer is sent as it is made. */
const sentAtOnce = 64 * 1024;

/** Milliseconds: a scrape takes few, and kubelet waits for the end of the process. */
const closePatience = 1_000;

/**
 * An HTTP server for GET and HEAD that is slow to nobody's harm: headers and whole requests have a time
 * limit, there are no bodies, and few connections are kept. Long answers are sent with gzip to those who
 * accept it. Not listening yet.
 */
export function createHttpServer(routes: Routes, onError: (error: Error) => void): Server {
  const server = createServer({
    headersTimeout: 5_000,
    requestTimeout: 10_000,
    // Without this the limits above are looked at every 30 s, for which silent clients could fill the server.
    connectionsCheckingInterval: 5_000,
    keepAliveTimeout: 65_000,
  });
  server.maxConnections = 64;
  server.on('request', async (request, response) => {
    request.resume();
    // Null for what is no URL, such as `//`.
    const url = URL.parse(request.url ?? '/', 'http://sidecar');
    const route = url && Object.hasOwn(routes, url.pathname) ? routes[url.pathname] : undefined;
    const reply = (answer: Answer) => send(request, response, answer);
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return reply(text(405, 'only GET is answered'));
    if (!url || !route)
      return reply(text(404, `nothing is here; there are ${Object.keys(routes).join(', ')}`));
    try {
      const closing = new AbortController();
      response.once('close', () => closing.abort());
      const { accept = '' } = request.headers;
      await reply(await route({ accept, query: url.searchParams, gone: closing.signal }));
    } catch (error) {
      // Whoever asked has gone.
      if ((error as NodeJS.ErrnoException).code === 'ERR_STREAM_PREMATURE_CLOSE') return;
      onError(error as Error);
      if (response.headersSent) response.destroy();
      else await reply(text(500, `this is a fault of the sidecar: ${(error as Error).message}`));
    }
  });
  return server;
}

export function text(status: number, message: string): Answer {
  return { status, contentType: 'text/plain; charset=utf-8', body: `${message}\n` };
}

/** Rejects with one sentence when the port cannot be had. Resolves to the port, which may have been 0. */
export async function listen(server: Server, port: number): Promise<number> {
  server.listen(port);
  try {
    await once(server, 'listening');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === 'EADDRINUSE' ? 'it is in use; set bpf.sh/metrics-port to another' : message;
    throw new Error(`cannot listen on port ${port}: ${reason}`);
  }
  const address = server.address();
  return typeof address === 'object' && address ? address.port : port;
}

/** Lets requests in flight finish, but waits for nobody who is slow or has connected and asks for nothing. */
export async function closeServer(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  const patience = setTimeout(() => server.closeAllConnections(), closePatience);
  await closed;
  clearTimeout(patience);
}

async function send(request: IncomingMessage, response: ServerResponse, answer: Answer): Promise<void> {
  if (answer.isZipped) return sendZipped(request, response, answer);
  const mayZip = !answer.isCompressed && acceptsGzip(request);
  const gathered: Gathered =
    typeof answer.body === 'string' || Buffer.isBuffer(answer.body)
      ? { start: [Buffer.from(answer.body)] }
      : await gather(takingTurns(answer.body), mayZip ? zippedAtOnce : sentAtOnce);
  const zipped = mayZip && gathered.start.reduce((bytes, { length }) => bytes + length, 0) >= gzipThreshold;
  const headers = headersOf(answer, zipped);
  if (gathered.rest === undefined) {
    const plain = Buffer.concat(gathered.start);
    const body = zipped ? gzipSync(plain, gzipOptions) : plain;
    response.writeHead(answer.status, { ...headers, 'content-length': body.length });
    response.end(body);
    return;
  }
  response.writeHead(answer.status, headers);
  const body = whole(gathered);
  if (zipped) await pipeline(body, createGzip(gzipOptions), response);
  else await pipeline(body, response);
}

function sendZipped(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  const zipped = acceptsGzip(request);
  const body = zipped ? (answer.body as Buffer) : gunzipSync(answer.body as Buffer);
  response.writeHead(answer.status, { ...headersOf(answer, zipped), 'content-length': body.length });
  response.end(body);
}

function headersOf({ contentType, headers }: Answer, zipped: boolean): Record<string, string> {
  return {
    'content-type': contentType,
    vary: 'Accept, Accept-Encoding',
    ...(zipped && { 'content-encoding': 'gzip' }),
    ...headers,
  };
}

/** Whether it is preferred to no encoding; a client that does not say wants none. */
function acceptsGzip(request: IncomingMessage): boolean {
  return new Negotiator(request).encoding(['gzip', 'identity']) === 'gzip';
}
