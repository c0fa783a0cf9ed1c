import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Container } from '../../scripts/node/sandbox.ts';
import { runDns } from './dns.ts';
import { eventually } from './eventually.ts';
import { request } from './http.ts';
import { type ObservedPod, output } from './pod.ts';

const webServer = `
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == '/closed': return
        self.send_response(500 if self.path == '/broken' else 200)
        self.send_header('Content-Length', '2')
        self.end_headers()
        self.wfile.write(b'ok')
    def log_message(self, *_): pass
server = http.server.HTTPServer(('127.0.0.1', 8000), Handler)
print('listening', flush=True)
server.serve_forever()
`;

const lookups = `
server, client = udp_server('127.0.0.2'), udp_client('127.0.0.2')
client.send(query(1, 'web.test')); answer(server, response, response)
client.send(query(2, 'gone.test')); answer(server, lambda q: response(q, 3))
for _ in range(2): client.send(query(3, 'lost.test')); server.recv(4096)
client.send(b'x'); server.recv(4096)
`;

/** An address whose neighbour is not there: what is sent there is lost. */
const nowhere = '198.51.100.1';

const everythingElse = `
import http.client, os, signal, socket, struct, subprocess, sys, tempfile, threading, time, urllib.error, urllib.request
limited = sys.argv[1]

for path in '/', '/broken', '/closed':
    try: urllib.request.urlopen('http://127.0.0.1:8000' + path).read()
    except (urllib.error.HTTPError, http.client.RemoteDisconnected): pass

def attempt(address, timeout):
    try: socket.create_connection(address, timeout)
    except OSError: pass
attempt(('127.0.0.1', 1), 1)
attempt(('${nowhere}', 80), 1.5)
listener = socket.create_server(('127.0.0.1', 0))
client, server = socket.create_connection(listener.getsockname()), listener.accept()[0]
client.send(b'x'); server.recv(1)
client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
client.close()

full = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
full.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
full.bind(('127.0.0.1', 0))
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(200): sender.sendto(bytes(500), full.getsockname())
sender.sendto(b'x', ('${nowhere}', 9))

with tempfile.NamedTemporaryFile() as file:
    file.write(bytes(100000)); file.flush(); os.fsync(file.fileno())
    open(file.name, 'rb').read()
    try: os.write(os.open(file.name, os.O_RDONLY), b'x')
    except OSError: pass

thread = threading.Thread(target=time.sleep, args=(0.01,)); thread.start(); thread.join()
def child(work):
    pid = os.fork()
    if pid == 0:
        try: work()
        finally: os._exit(3)
    os.waitpid(pid, 0)
child(lambda: os.execv('/bin/true', ['true']))
child(lambda: None)
child(lambda: os.kill(os.getpid(), signal.SIGKILL))
def unprivileged():
    os.setuid(1000)
    os.setuid(0)
child(unprivileged)

cpus = sorted(os.sched_getaffinity(0))
for cpu in cpus * 20: os.sched_setaffinity(0, [cpu])
os.sched_setaffinity(0, cpus)
spin = 'import time\\nwhile time.process_time() < 0.3: pass'
for process in [subprocess.Popen([sys.executable, '-c', spin]) for _ in range(len(cpus) + 1)]: process.wait()

def eat():
    open(limited + '/cgroup.procs', 'w').write('0')
    memory = [bytearray(1 << 20) for _ in range(100)]
if limited != '': child(eat)
`;

/** Has everything happen, again and again, that the built-in probes count and that can be made to happen here. */
export async function startEverything(pod: ObservedPod) {
  const [web, client] = [pod.addContainer('web'), pod.addContainer('client')];
  const server = web.spawn(['python3', '-c', webServer], { stdio: ['ignore', 'pipe', 'ignore'] });
  await once(server.stdout!, 'data');
  await output(
    pod.sidecar,
    'sh',
    '-c',
    `ip route add ${nowhere}/32 dev eth0 && ip neigh add ${nowhere} lladdr 02:00:00:00:00:99 dev eth0`,
  );
  const { cgroup: limited, remove } = limitedMemory(client);
  return {
    async happens(): Promise<void> {
      await Promise.all([
        runDns(client, lookups),
        output(client, 'python3', '-c', everythingElse, limited),
        request(pod.url('/debug/pprof/profile?seconds=1')),
      ]);
    },
    remove,
  };
}

/** A cgroup that kills who takes more than 48 MiB: of v1 one by itself, of v2 the container's; none without a controller. */
function limitedMemory(container: Container): { cgroup: string; remove(): Promise<void> } {
  const most = String(48 << 20);
  const v1 = '/sys/fs/cgroup/memory';
  if (existsSync(join(container.cgroup, 'memory.max'))) {
    writeFileSync(join(container.cgroup, 'memory.max'), most);
    return { cgroup: container.cgroup, remove: async () => {} };
  }
  if (!existsSync(join(v1, 'memory.limit_in_bytes'))) return { cgroup: '', remove: async () => {} };
  const cgroup = join(v1, `bpf-sidecar-test-everything-${process.pid}`);
  mkdirSync(cgroup);
  writeFileSync(join(cgroup, 'memory.limit_in_bytes'), most);
  return {
    cgroup,
    remove: () =>
      eventually(() => {
        if (readFileSync(join(cgroup, 'cgroup.procs'), 'utf8') !== '') throw new Error('it has processes');
        rmdirSync(cgroup);
      }),
  };
}
