import { type Agent, type RequestOptions, request } from 'node:https';
import { text } from 'node:stream/consumers';

export interface Answer {
  status: number;
  headers: Readonly<Record<string, unknown>>;
  body: string;
}

export interface Call {
  method?: string;
  path: string;
  headers?: Record<string, string>;
  body?: string;
  agent?: Agent;
}

/** An HTTPS client that trusts nobody but `ca`. */
export function createClient(address: string, ca: string) {
  const { hostname: host, port } = new URL(address);
  const hostname = host.replace(/^\[|\]$/g, '');
  return (call: Call): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const options: RequestOptions = { agent: false, ...call, hostname, port, ca };
      request(options, async (response) => {
        const body = await text(response);
        resolve({ status: response.statusCode!, headers: response.headers, body });
      })
        .on('error', reject)
        .end(call.body);
    });
}

/** The call that posts a review. */
export function mutateCall(review: unknown): Call {
  const body = JSON.stringify(review);
  return { method: 'POST', path: '/mutate', headers: { 'content-type': 'application/json' }, body };
}
