import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** What becomes of connections: nothing bad, they are reset, or nobody answers on them. */
export type Mood = 'steady' | 'gone' | 'hung';

/** A road to a server on this machine that can fail as networks do. */
export interface UnsteadyRoad {
  port: number;
  /** Takes effect on the connections that there are, too. */
  turn(mood: Mood): void;
  close(): Promise<void>;
}

export async function unsteadyRoad(target: number): Promise<UnsteadyRoad> {
  let mood: Mood = 'steady';
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket.on('error', () => {}).once('close', () => sockets.delete(socket)));
    return socket;
  };
  const server = createServer((client) => {
    keep(client);
    if (mood === 'gone') return void client.resetAndDestroy();
    const upstream = keep(connect(target, '127.0.0.1'));
    client.pipe(upstream).pipe(client);
    client.once('close', () => upstream.destroy());
    upstream.once('close', () => client.destroy());
    if (mood === 'hung') for (const socket of [client, upstream]) socket.pause();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    turn(next) {
      mood = next;
      for (const socket of sockets) {
        if (next === 'gone') socket.resetAndDestroy();
        else if (next === 'hung') socket.pause();
        else socket.resume();
      }
    },
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}
