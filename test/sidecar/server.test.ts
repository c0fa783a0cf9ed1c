import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, type IncomingMessage, type Server } from 'node:http';
import { connect } from 'node:net';
import { buffer, text as readAll } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { closeServer, createHttpServer, listen, type Routes, text } from '../../sidecar/server.ts';
import { eventually } from '../support/eventually.ts';
import { request } from '../support/http.ts';

async function serve(t: TestContext, routes: Routes, onError: (error: Error) => void = assert.ifError) {
  const server = createHttpServer(routes, onError);
  const port = await listen(server, 0);
  t.after(() => server.close().closeAllConnections());
  return { server, port, url: (path: string) => `http://127.0.0.1:${port}${path}` };
}

/** Sends bytes as they are and gives the whole answer. */
async function raw(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(bytes);
  return await readAll(socket);
}

const hello: Routes = { '/hello': ({ query }) => text(200, `hello ${query.get('to')}`) };

test('a path answers GET with its query and HEAD with the same headers and no body', async (t) => {
  const { url } = await serve(t, hello);
  const get = await request(url('/hello?to=you'));
  assert.deepEqual([get.status, get.text], [200, 'hello you\n']);
  const head = await request(url('/hello?to=you'), { method: 'HEAD' });
  assert.deepEqual([head.status, head.text], [200, '']);
  for (const name of ['content-type', 'content-length'])
    assert.equal(head.headers.get(name), get.headers.get(name));
});

test('other paths and methods are refused with what there is', async (t) => {
  const { url } = await serve(t, hello);
  const unknown = await request(url('/toString'));
  assert.deepEqual([unknown.status, unknown.text], [404, 'nothing is here; there are /hello\n']);
  const post = await request(url('/hello'), { method: 'POST', body: 'x'.repeat(1_000_000) });
  assert.deepEqual([post.status, post.text], [405, 'only GET is answered\n']);
});

/** What a client gets that asks for this encoding and, unlike fetch, decodes nothing. */
async function encoded(url: string, acceptEncoding?: string) {
  const headers = acceptEncoding === undefined ? {} : { 'accept-encoding': acceptEncoding };
  const [response] = (await once(get(url, { headers }), 'response')) as [IncomingMessage];
  return { headers: response.headers, body: await buffer(response) };
}

const scrape = 'bpf_syscalls_total{syscall="read"} 1\n'.repeat(1000);
const long: Routes = { '/long': () => text(200, scrape), '/short': () => text(200, 'x'.repeat(1000)) };

for (const accepted of ['gzip', 'gzip, deflate, br', 'br;q=1.0, gzip;q=0.8, *;q=0.1', '*'])
  test(`a long answer comes as gzip to who accepts "${accepted}"`, async (t) => {
    const { url } = await serve(t, long);
    const { headers, body } = await encoded(url('/long'), accepted);
    assert.equal(headers['content-encoding'], 'gzip');
    assert.equal(headers['content-length'], String(body.length));
    assert.equal(headers.vary, 'Accept, Accept-Encoding');
    assert.ok(body.length < scrape.length / 10);
    assert.equal(gunzipSync(body).toString(), `${scrape}\n`);
  });

for (const refused of [undefined, '', 'gzip;q=0', 'identity', 'br', '*;q=0', 'gzip;q=0.1, identity;q=0.5'])
  test(`a long answer comes as it is to who accepts ${refused === undefined ? 'nothing' : `"${refused}"`}`, async (t) => {
    const { url } = await serve(t, long);
    const { headers, body } = await encoded(url('/long'), refused);
    assert.equal(headers['content-encoding'], undefined);
    assert.equal(headers.vary, 'Accept, Accept-Encoding');
    assert.equal(body.toString(), `${scrape}\n`);
  });

test('a short answer is not worth compressing', async (t) => {
  const { url } = await serve(t, long);
  const { headers, body } = await encoded(url('/short'), 'gzip');
  assert.equal(headers['content-encoding'], undefined);
  assert.equal(body.length, 1001);
});

test('what is no URL or no HTTP harms nobody', async (t) => {
  const { port, url } = await serve(t, hello);
  for (const target of ['//', '/\\', 'http://[', '*'])
    assert.match(
      await raw(port, `GET ${target} HTTP/1.1\r\nHost: sidecar\r\nConnection: close\r\n\r\n`),
      /^HTTP\/1\.1 40[04] /,
      target,
    );
  assert.match(await raw(port, 'EHLO sidecar\r\n\r\n'), /^HTTP\/1\.1 400 /);
  assert.equal((await request(url('/hello'))).status, 200);
});

test('a path that fails answers 500 and is reported, and the server goes on', async (t) => {
  const reported: string[] = [];
  const fail = () => {
    throw new Error('out of luck');
  };
  const { url } = await serve(t, { ...hello, '/fail': fail }, ({ message }) => reported.push(message));
  const failed = await request(url('/fail'));
  assert.deepEqual([failed.status, failed.text], [500, 'this is a fault of the sidecar: out of luck\n']);
  assert.deepEqual(reported, ['out of luck']);
  assert.equal((await request(url('/hello'))).status, 200);
});

test('a port in use is one sentence that names it and the way out', async (t) => {
  const { port } = await serve(t, hello);
  await assert.rejects(listen(createHttpServer(hello, assert.ifError), port), {
    message: `cannot listen on port ${port}: it is in use; set bpf.sh/metrics-port to another`,
  });
});

test('a request in flight is answered before the server closes, and no other begins', async (t) => {
  let closing: Promise<void> | undefined;
  let server: Server | undefined;
  const slow: Routes = {
    '/slow': async () => {
      closing = closeServer(server!);
      return text(200, 'in time');
    },
  };
  const served = await serve(t, slow);
  server = served.server;
  assert.equal((await request(served.url('/slow'))).text, 'in time\n');
  await closing;
  await assert.rejects(request(served.url('/slow')));
});

test('a client that connects and asks for nothing does not keep the server from closing', async (t) => {
  const { server, port } = await serve(t, hello);
  const silent = connect(port, '127.0.0.1').resume();
  const accepted = once(server, 'connection');
  await once(silent, 'connect');
  await accepted;
  await Promise.all([closeServer(server), once(silent, 'close')]);
});

/** So many pieces of 64 KiB, each of another letter, made one after the other. */
async function* pieces(count: number, fault?: string): AsyncGenerator<Buffer> {
  for (let index = 0; index < count; index++) yield Buffer.alloc(64 * 1024, 97 + (index % 26));
  if (fault !== undefined) throw new Error(fault);
}

const whole = async (count: number) => {
  const all: Buffer[] = [];
  for await (const piece of pieces(count)) all.push(piece);
  return Buffer.concat(all);
};

for (const [what, count, fits] of [
  ['what is compressed at once', 10, true],
  ['what is compressed as it is made', 200, false],
] as const) {
  const streaming: Routes = {
    '/pieces': () => ({ status: 200, contentType: 'text/plain', body: pieces(count) }),
  };

  test(`a body in pieces, ${what}: comes whole as it is, sent as it is made`, async (t) => {
    const { url } = await serve(t, streaming);
    const { headers, body } = await encoded(url('/pieces'));
    assert.ok(body.equals(await whole(count)));
    assert.equal(headers['content-length'], undefined);
  });

  test(`a body in pieces, ${what}: comes whole as gzip, and not at all for HEAD`, async (t) => {
    const { url } = await serve(t, streaming);
    const { headers, body } = await encoded(url('/pieces'), 'gzip');
    assert.equal(headers['content-encoding'], 'gzip');
    assert.ok(gunzipSync(body).equals(await whole(count)));
    const head = await request(url('/pieces'), { method: 'HEAD' });
    assert.deepEqual([head.status, head.text], [200, '']);
  });

  test(`a body in pieces, ${what}: a fault while it is made is told, and takes nobody along`, async (t) => {
    const faults: string[] = [];
    const failing: Routes = {
      ...hello,
      '/pieces': () => ({ status: 200, contentType: 'text/plain', body: pieces(count, 'the map is gone') }),
    };
    const { url } = await serve(t, failing, ({ message }) => faults.push(message));
    if (fits) {
      const answer = await request(url('/pieces'));
      assert.deepEqual(
        [answer.status, answer.text],
        [500, 'this is a fault of the sidecar: the map is gone\n'],
      );
    } else await assert.rejects(encoded(url('/pieces')), /aborted/);
    assert.deepEqual(faults, ['the map is gone']);
    assert.equal((await request(url('/hello?to=you'))).text, 'hello you\n');
  });
}

test('a short body in pieces comes with its length', async (t) => {
  async function* body(): AsyncGenerator<Buffer> {
    yield Buffer.from('hello ');
    yield Buffer.from('you\n');
  }
  const { url } = await serve(t, {
    '/': () => ({ status: 200, contentType: 'text/plain', body: body() }),
  });
  const answer = await encoded(url('/'));
  assert.equal(answer.headers['content-length'], '10');
  assert.equal(answer.body.toString(), 'hello you\n');
});

test('who leaves in the middle of a long body is no fault', async (t) => {
  let ended = false;
  async function* endless(): AsyncGenerator<Buffer> {
    try {
      for (;;) yield* pieces(1);
    } finally {
      ended = true;
    }
  }
  const { url } = await serve(t, {
    '/endless': () => ({ status: 200, contentType: 'text/plain', body: endless() }),
  });
  const [response] = (await once(get(url('/endless')), 'response')) as [IncomingMessage];
  await once(response, 'data');
  response.destroy();
  await eventually(() => assert.ok(ended));
});

test('while a long body is made others are answered', async (t) => {
  const order: string[] = [];
  async function* busy(): AsyncGenerator<Buffer> {
    for (let index = 0; index < 20; index++) {
      const until = performance.now() + 10;
      while (performance.now() < until);
      yield Buffer.from('x');
    }
    order.push('made');
  }
  const { url } = await serve(t, {
    '/busy': () => ({ status: 200, contentType: 'text/plain', body: busy() }),
    '/health': () => {
      order.push('asked');
      return text(200, 'ok');
    },
  });
  const [, answer] = await Promise.all([request(url('/busy')), request(url('/health'))]);
  assert.equal(answer.text, 'ok\n');
  assert.deepEqual(order, ['asked', 'made']);
});

test('an answer that is compressed already is sent as it is', async (t) => {
  const body = gzipSync(scrape.repeat(100));
  const { url } = await serve(t, {
    '/': () => ({ status: 200, contentType: 'application/octet-stream', body, isCompressed: true }),
  });
  const answer = await encoded(url('/'), 'gzip');
  assert.equal(answer.headers['content-encoding'], undefined);
  assert.deepEqual(answer.body, body);
});

test('a route learns that whoever asked has gone, and may still answer', async (t) => {
  const { promise: began, resolve: begin } = Promise.withResolvers<void>();
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const { url } = await serve(t, {
    '/slow': async ({ gone }) => {
      begin();
      await once(gone, 'abort');
      end();
      return text(200, 'too late');
    },
    ...hello,
  });
  const leaving = new AbortController();
  const answer = fetch(url('/slow'), { signal: leaving.signal });
  await began;
  leaving.abort();
  await assert.rejects(answer, { name: 'AbortError' });
  await ended;
  assert.equal((await request(url('/hello?to=you'))).status, 200);
});
