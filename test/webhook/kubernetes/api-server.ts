import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { KubeConfig } from '@kubernetes/client-node';
import { createAuthority } from '../../../webhook/certificates/authority.ts';
import { type Api, createApi } from '../../../webhook/kubernetes/client.ts';

export interface Call {
  method: string;
  path: string;
  contentType: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: tests reach into raw JSON of any shape
  body: any;
}

/** A server in the place of the API server: what it is asked, and what it answers, are the test's. */
export interface ApiServer {
  api: Api;
  /** Resolves to the next request, once it is there. */
  next(): Promise<Call>;
  close(): void;
}

export async function startApiServer(
  answer: (call: Call) => { status: number; body: object },
): Promise<ApiServer> {
  const authority = await createAuthority();
  const calls: Call[] = [];
  let arrived = Promise.withResolvers<void>();
  const server = createServer(await authority.issue(['127.0.0.1']), async (request, response) => {
    const call = {
      method: request.method!,
      path: request.url!,
      contentType: request.headers['content-type'],
      body: request.method === 'GET' ? undefined : await json(request),
    };
    const { status, body } = answer(call);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    response.once('close', () => {
      calls.push(call);
      arrived.resolve();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  const config = new KubeConfig();
  config.loadFromClusterAndUser(
    {
      name: 'test',
      server: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
      caData: Buffer.from(authority.certificate).toString('base64'),
      skipTLSVerify: false,
    },
    { name: 'test' },
  );
  return {
    api: createApi(config),
    async next() {
      while (calls.length === 0) {
        await arrived.promise;
        arrived = Promise.withResolvers();
      }
      return calls.shift()!;
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
