import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import type { Attachment } from '../../scripts/kernels/result.ts';
import { type Container, createSandbox, type Sandbox } from '../../scripts/node/sandbox.ts';
import { builtinProbes } from '../../sidecar/contract/probes.ts';
import { runDns } from '../support/dns.ts';
import { eventually } from '../support/eventually.ts';
import { play } from '../support/http-player.ts';
import { makeLoopDevice } from '../support/loop.ts';
import { type ObservedPod, output, type Samples, startObservedPod } from '../support/pod.ts';
import { decodeProfile } from '../support/profile.ts';
import { startPython } from '../support/python.ts';

/** A line of the status page about a program. */
const programLine = /^ {2}SEC\("[^"]*"\) (\w+): (.*)$/;
/** Seconds for the sidecar with all probes, on a machine that is only emulated. */
const patience = 600;

type Labels = Record<string, string>;
/** What a work adds to the series that have these labels. */
type Added = [metric: string, labels: Labels, count: number];

const python = (container: Container, program: string) => output(container, 'python3', '-c', program);

/** Of each probe a work in a container that adds a known number, beside those whose numbers only the kernel knows. */
const works: Record<string, (container: Container) => Promise<Added[]>> = {
  async disk(container) {
    const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-disk-'));
    const device = makeLoopDevice(join(directory, 'disk'));
    try {
      await python(
        container,
        `
import mmap, os
device = os.open('${device.path}', os.O_RDWR | os.O_DIRECT)
for i in range(19): os.pwrite(device, mmap.mmap(-1, 4096), i * 4096)`,
      );
    } finally {
      device.detach();
      rmSync(directory, { recursive: true });
    }
    const labels = { system_device: device.name, disk_io_direction: 'write' };
    return [
      ['bpf_disk_operations_total', labels, 19],
      ['bpf_disk_io_bytes_total', labels, 19 * 4096],
    ];
  },
  async dns(container) {
    await runDns(
      container,
      `
server, client = udp_server('127.0.0.2'), udp_client('127.0.0.2')
for id in range(9):
    client.send(query(id, 'web.test')); answer(server, response); client.recv(4096)`,
    );
    return [
      ['bpf_dns_queries_total', { dns_question_type: 'A' }, 9],
      ['bpf_dns_responses_total', { dns_response_code: 'NOERROR' }, 9],
    ];
  },
  async files(container) {
    const program = `
import os, tempfile
with tempfile.TemporaryFile(dir='/dev/shm') as file:
    for _ in range(29): os.write(file.fileno(), b'x' * 10)`;
    await python(container, program);
    const labels = { system_filesystem_type: 'tmpfs', file_operation: 'write' };
    return [
      ['bpf_file_operations_total', labels, 29],
      ['bpf_file_io_bytes_total', labels, 290],
    ];
  },
  async http(container) {
    const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
    const response = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
    const connection = [...Array(7)].flatMap(() => [['c', request] as const, ['s', response] as const]);
    await play(container, [connection.map(([who, what]) => [who, what])]);
    const labels = { http_request_method: 'GET', http_response_status_code: '200' };
    return [
      ['bpf_http_server_request_duration_seconds_count', labels, 7],
      ['bpf_http_client_request_duration_seconds_count', labels, 7],
    ];
  },
  async network(container) {
    await python(
      container,
      `
import socket
receiver, sender = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
receiver.bind(('127.0.0.1', 0))
for _ in range(31):
    sender.sendto(b'x' * 100, receiver.getsockname())
    receiver.recv(200)`,
    );
    return ['receive', 'transmit'].flatMap((network_io_direction): Added[] => {
      const labels = { network_type: 'ipv4', network_transport: 'udp', network_io_direction };
      return [
        ['bpf_network_packet_count_total', labels, 31],
        ['bpf_network_io_bytes_total', labels, 31 * 128],
      ];
    });
  },
  async process(container) {
    const program = `
import os
for ending in [lambda: os._exit(17)] * 6 + [lambda: os.kill(os.getpid(), 9)] * 5:
    if os.fork() == 0: ending()
    os.wait()`;
    await python(container, program);
    return [
      ['bpf_process_exits_total', { process_exit_code: '17' }, 6],
      ['bpf_process_kills_total', { signal: 'SIGKILL' }, 5],
    ];
  },
  async security(container) {
    await python(container, 'import os\nfor _ in range(11): os.setuid(0)');
    return [['bpf_security_operations_total', { operation: 'setuid', verdict: 'success' }, 11]];
  },
  async syscalls(container) {
    await python(container, 'import os\nfor _ in range(23): os.getpriority(0, 0)');
    const labels = { syscall: 'getpriority' };
    return [
      ['bpf_syscalls_total', labels, 23],
      ['bpf_syscall_duration_seconds_count', labels, 23],
    ];
  },
  async tcp(container) {
    await python(
      container,
      `
import socket
listener = socket.create_server(('127.0.0.1', 0))
for _ in range(7):
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
    client.sendall(b'x' * 100)
    server.recv(100, socket.MSG_WAITALL)
    client.close()
    server.close()`,
    );
    return [
      ['bpf_tcp_connections_opened_total', {}, 7],
      ['bpf_tcp_connections_accepted_total', {}, 7],
      ['bpf_tcp_connections_closed_total', {}, 14],
      ['bpf_tcp_sent_bytes_total', {}, 700],
      ['bpf_tcp_received_bytes_total', {}, 700],
    ];
  },
};

/** Of the others what the kernel itself counts of a process, what the probe does, and what makes both grow. */
const told: Record<
  string,
  { metric: string; labels: Labels; program: string; least: number; of(pid: number): number }
> = {
  cpu: {
    metric: 'bpf_process_context_switches_total',
    labels: { process_context_switch_type: 'voluntary' },
    program: 'import time\nfor _ in range(50): time.sleep(0.001)',
    // A timer may be faster than the switch.
    least: 25,
    of: (pid) =>
      Number(/^voluntary_ctxt_switches:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]),
  },
  memory: {
    metric: 'bpf_process_paging_faults_total',
    labels: { system_paging_fault_type: 'minor' },
    // The last fault of a thread counts when it has the next one: there is one such before and after.
    program: `import mmap
for _ in range(100):
    with mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as page: page[0] = 1`,
    least: 100,
    of: (pid) => Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')[7]),
  },
};

describe('every built-in probe, all in one pod', () => {
  let pod: ObservedPod;
  let other: Sandbox;
  let outsider: Container;
  before(async () => {
    other = await createSandbox({ network: true });
    outsider = other.addContainer('web');
    pod = await startObservedPod({
      probes: builtinProbes.join(),
      edit: (sidecar) => {
        sidecar.startupProbe = { ...sidecar.startupProbe, failureThreshold: patience };
      },
    });
  });
  after(async () => {
    await pod?.stop();
    await other?.destroy();
  });

  const growth = (end: Samples, start: Samples, metric: string, labels: Labels) =>
    end.sum(metric, labels) - start.sum(metric, labels);

  test('has its programs attached, or tells the reason why not', async (t) => {
    const page = await (await fetch(pod.url('/'))).text();
    let probe = '';
    const programs: Attachment[] = page.split('\n').flatMap((text) => {
      const [, name] = /^(\w+): /.exec(text) ?? [];
      if (name !== undefined) probe = name;
      const [, program, state] = programLine.exec(text) ?? [];
      if (program === undefined) return [];
      return { probe, program, ...(!state!.startsWith('attached') && { problem: state! }) };
    });
    for (const program of programs) t.diagnostic(JSON.stringify(program));
    const { all } = await pod.scrape();
    const states = all.filter(({ name }) => name === 'bpf_sidecar_program_attached');
    assert.equal(programs.length, states.length);
    for (const { labels, value } of states) {
      const told = programs.find(
        ({ probe, program }) => probe === labels.probe && program === labels.program,
      );
      assert.equal(told?.problem === undefined, value === 1, JSON.stringify(told));
    }
  });

  for (const [probe, work] of Object.entries(works))
    test(probe, async (t) => {
      const web = pod.addContainer(probe);
      if (probe === 'disk' && !chargesDisks(t, web)) return;
      const start = await pod.scrape();
      await work(pod.sidecar);
      await work(outsider);
      const added = await work(web);
      await eventually(async () => {
        const end = await pod.scrape();
        for (const [metric, labels, count] of added) {
          const what = `${metric}${JSON.stringify(labels)}`;
          assert.equal(end.sum(metric, { ...labels, container: probe }), count, `${what} of the container`);
          assert.equal(growth(end, start, metric, labels), count, `${what} of the pod`);
        }
      });
    });

  for (const [probe, { metric, labels, program, least, of }] of Object.entries(told))
    test(probe, async () => {
      const processes = await Promise.all([pod.addContainer(probe), pod.sidecar, outsider].map(startPython));
      after(() => {
        for (const { process } of processes) process.kill();
      });
      const pid = processes[0]!.process.pid!;
      const runAll = () => Promise.all(processes.map(({ run }) => run(program)));
      /** Once the process is asleep: what the kernel told of it when a scrape was taken. */
      const resting = () =>
        eventually(async () => {
          const before = of(pid);
          const samples = await pod.scrape();
          assert.equal(of(pid), before);
          return { told: before, samples };
        });
      await runAll();
      const start = await resting();
      await runAll();
      await eventually(async () => {
        const end = await resting();
        assert.ok(end.told - start.told >= least, `${end.told - start.told}`);
        assert.equal(growth(end.samples, start.samples, metric, labels), end.told - start.told);
      });
    });

  test('none lost anything in silence', async () => {
    const { all } = await pod.scrape();
    const uncounted = all.filter(({ name, value }) => name.endsWith('_uncounted_total') && value > 0);
    assert.deepEqual(uncounted, []);
  });

  test('profile', async () => {
    const spinning = [pod.addContainer('profile'), pod.sidecar, outsider].map((container) =>
      container.spawn(['python3', '-c', 'while True: pass'], { stdio: 'ignore' }),
    );
    after(() => {
      for (const child of spinning) child.kill();
    });
    const start = await pod.scrape();
    const response = await fetch(pod.url('/debug/pprof/profile?seconds=1'));
    const compressed = Buffer.from(await response.arrayBuffer());
    const end = await pod.scrape();
    // Decoding takes its time, and more so beside them.
    for (const child of spinning) child.kill();
    const { samples } = decodeProfile(compressed);
    const containers = new Set(samples.map(({ labels }) => labels.container));
    const number = samples.reduce((sum, { values }) => sum + values[0]!, 0);
    assert.deepEqual([...containers], ['profile']);
    assert.equal(growth(end, start, 'bpf_profile_samples_total', {}), number);
    assert.equal(end.sum('bpf_profile_samples_uncounted_total'), 0);
  });
});

/** False, with the test skipped, where requests to disks are charged to cgroup v1, or there are no loop devices. */
function chargesDisks(t: TestContext, { cgroup }: Container): boolean {
  if (existsSync(join(cgroup, 'io.stat')) && existsSync('/dev/loop-control')) return true;
  t.skip('needs the io controller of cgroup v2, and loop devices');
  return false;
}
