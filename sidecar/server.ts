import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';

/** What a path answers. */
export interface Answer {
  status: number;
  contentType: string;
  body: string | Buffer;
}

/** Paths, each with what answers a GET; `query` is what follows the question mark. */
export type Routes = Readonly<
  Record<string, (request: { accept: string; query: URLSearchParams }) => Answer | Promise<Answer>>
>;

/** Milliseconds: a scrape takes few, and kubelet waits for the end of the process. */
const closePatience = 1_000;

/**
 * An HTTP server for GET and HEAD that is slow to nobody's harm: headers and whole requests have a time
 * limit, there are no bodies, and few connections are kept. Not listening yet.
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
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return send(response, text(405, 'only GET is answered'));
    if (!url || !route)
      return send(response, text(404, `nothing is here; there are ${Object.keys(routes).join(', ')}`));
    try {
      send(response, await route({ accept: request.headers.accept ?? '', query: url.searchParams }));
    } catch (error) {
      onError(error as Error);
      send(response, text(500, `this is a fault of the sidecar: ${(error as Error).message}`));
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

function send(response: ServerResponse, answer: Answer): void {
  const body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body;
  response.writeHead(answer.status, { 'content-type': answer.contentType, 'content-length': body.length });
  response.end(body);
}
