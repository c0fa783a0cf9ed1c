import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Container } from '../../scripts/node/sandbox.ts';
import { output } from './pod.ts';

/** What one side of a connection does: the client (`c`) or the server (`s`) sends bytes, or ends its side. */
export type Step = ['c' | 's', string] | ['c' | 's', 'end' | 'reset', true];

/** Plays connections between two sockets of one process, each step only after the other side has all of the last one. */
const player = `
import json, socket, struct, sys
with open(sys.argv[1]) as file: connections = json.load(file)
listener = socket.create_server(('127.0.0.1', 0))
for steps in connections:
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
    for one in (client, server): one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for who, what, *act in steps:
        sender, receiver = (client, server) if who == 'c' else (server, client)
        if act and what == 'reset':
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            sender.close()
        elif act:
            sender.shutdown(socket.SHUT_WR)
            while receiver.recv(65536): pass
        else:
            data = what.encode('latin-1')
            while data:
                sent = sender.send(data[:30000])
                receiver.recv(sent, socket.MSG_WAITALL)
                data = data[sent:]
    # The client ends first, as most do.
    client.close()
    server.close()
`;

/** Plays connections one after the other in a container that is both client and server. */
export async function play(container: Container, connections: readonly (readonly Step[])[]): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'http-player-'));
  try {
    writeFileSync(join(directory, 'steps'), JSON.stringify(connections));
    await output(container, 'python3', '-c', player, join(directory, 'steps'));
  } finally {
    rmSync(directory, { recursive: true });
  }
}
