import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Container } from '../../scripts/node/sandbox.ts';
import { type Run, startObedient } from '../support/obedient.ts';
import { type ObservedPod, type Samples, startObservedPod } from '../support/pod.ts';

const prelude = `
libc = ctypes.CDLL(None, use_errno=True)
def call(name, function, *arguments):
    ctypes.set_errno(0)
    failed = function(*arguments) == -1
    return [name, ctypes.get_errno() if failed else 0]
def setting(function, *arguments):
    try: function(*arguments)
    except PermissionError: return 1
    return 0
bpf, init_module, delete_module = {'x86_64': (321, 175, 176), 'aarch64': (280, 105, 106)}[os.uname().machine]
# An array of one element of 4 bytes.
array = (ctypes.c_uint * 32)(2, 4, 4, 1)
def everything():
    calls = []
    for _ in range(20):
        calls += [['setuid', setting(os.setuid, 0)], ['setuid', setting(os.setreuid, 0, 0)], ['setuid', setting(os.setresuid, 0, 0, 0)]]
        calls += [['setgid', setting(os.setgid, 0)], ['setgid', setting(os.setregid, 0, 0)], ['setgid', setting(os.setresgid, 0, 0, 0)]]
        calls += [['setgroups', setting(os.setgroups, [0])]]
    # In a namespace of its own mounts are seen by nobody else.
    libc.unshare(0x20000)
    for _ in range(7):
        calls += [call('mount', libc.mount, b'none', b'/', None, 0x44000, None)]
        calls += [call('mount', libc.mount, b'none', b'/mnt', b'tmpfs', 0, None)]
        calls += [call('umount', libc.umount2, b'/mnt', 0)]
    for _ in range(9):
        calls += [call('bpf', libc.syscall, bpf, 0, array, ctypes.sizeof(array))]
        calls += [call('module_load', libc.syscall, init_module, None, 0, b'')]
        calls += [call('module_unload', libc.syscall, delete_module, b'no-such-module', 0)]
    return calls
`;

/** Starts a process that has no privilege any more. */
async function startUnprivileged(container: Container): Promise<Run> {
  const run = await startObedient(container, prelude);
  await run('os.setgroups([]); os.setresgid(1000, 1000, 1000); os.setresuid(1000, 1000, 1000)');
  return run;
}

/** Counts of a container by its labels, joined: `mount denied`. */
function counts({ all }: Samples, name: string, container: string): Map<string, number> {
  const series = all.filter((sample) => sample.name === name && sample.labels.container === container);
  const own = ['operation', 'capability', 'network_type', 'network_transport', 'verdict'];
  return new Map(
    series.map(({ labels, value }) => [own.flatMap((label) => labels[label] ?? []).join(' '), value]),
  );
}

function growth(end: Map<string, number>, start: Map<string, number>): Record<string, number> {
  const grown = [...end].map(([key, value]) => [key, value - (start.get(key) ?? 0)] as const);
  return Object.fromEntries(grown.filter(([, value]) => value !== 0).sort());
}

/** How calls have ended by what they returned, as counts. */
function ended(calls: readonly (readonly [name: string, errno: number])[]): Record<string, number> {
  const verdict = (errno: number) =>
    errno === 0 ? 'success' : errno === 1 || errno === 13 ? 'denied' : 'failed';
  const grouped = Map.groupBy(calls, ([name, errno]) => `${name} ${verdict(errno)}`);
  return Object.fromEntries([...grouped].map(([key, group]) => [key, group.length] as const).sort());
}

const operations = 'bpf_security_operations_total';
const checks = 'bpf_security_capability_checks_total';
const destinations = 'bpf_security_unknown_destinations_total';

/** What goes to which address: five connections to 192.0.2.1, and so on. None is answered. */
const talk = `
def connect(family, kind, address, times):
    for _ in range(times):
        with socket.socket(family, kind) as client:
            client.setblocking(False)
            try: client.connect((address, 9))
            except OSError: pass
def send(family, address, times):
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        for _ in range(times):
            try: sender.sendto(b'x', (address, 9))
            except OSError: pass
def talk():
    v4, v6, tcp, udp = socket.AF_INET, socket.AF_INET6, socket.SOCK_STREAM, socket.SOCK_DGRAM
    connect(v4, tcp, '192.0.2.1', 5)
    connect(v4, udp, '203.0.113.7', 3)
    send(v4, '192.0.2.1', 4)
    connect(v6, tcp, '2001:db8::1', 6)
    connect(v6, tcp, '::ffff:192.0.2.1', 2)
    send(v6, '2001:db8::1', 7)
    for address in ['10.1.2.3', '198.18.0.1', '127.0.0.1', '0.0.0.0']:
        connect(v4, tcp, address, 8)
        send(v4, address, 8)
    for address in ['fd00::1', '::1', '::ffff:10.9.8.7', '::ffff:127.0.0.1', '::']:
        connect(v6, tcp, address, 8)
        send(v6, address, 8)
`;

describe('the security probe', () => {
  let pod: ObservedPod;
  before(async () => {
    pod = await startObservedPod({ probes: 'security' });
  });
  after(() => pod.stop());

  test('counts calls that need a privilege by how they ended, with privileges and without', async () => {
    const web = pod.addContainer('web');
    const processes = [await startObedient(web, prelude), await startUnprivileged(web)];
    const verdicts = new Set<string>();
    for (const run of processes) {
      const start = counts(await pod.scrape(), operations, 'web');
      const expected = ended((await run('answer = everything()')) as [string, number][]);
      for (const key of Object.keys(expected)) verdicts.add(key.split(' ')[1]!);
      assert.deepEqual(growth(counts(await pod.scrape(), operations, 'web'), start), expected);
    }
    assert.deepEqual([...verdicts].sort(), ['denied', 'failed', 'success']);
  });

  test('counts how processes trace others, and that they are not let', async () => {
    const tracer = pod.addContainer('tracer');
    const run = await startObedient(tracer, prelude);
    await run(`
for _ in range(10):
    pid = os.fork()
    if pid == 0:
        libc.ptrace(0, 0, 0, 0)
        os.kill(os.getpid(), 19)
        os._exit(0)
    os.waitpid(pid, 0)
    libc.ptrace(7, pid, 0, 0)
    os.waitpid(pid, 0)`);
    const other = await startUnprivileged(tracer);
    assert.equal(
      await other(`answer = [libc.ptrace(16, ${run.pid}, 0, 0) for _ in range(12)].count(-1)`),
      12,
    );
    const samples = await pod.scrape();
    const of = (verdict: string) =>
      samples.value(operations, { container: 'tracer', operation: 'ptrace', verdict });
    assert.deepEqual([of('success'), of('denied'), of('failed')], [20, 12, 0]);
  });

  test('counts a call that a seccomp filter refuses as denied', async () => {
    const run = await startObedient(pod.addContainer('filtered'), prelude);
    // Of each call the number is loaded, and that of bpf answered with EPERM.
    await run(`
import struct
code = struct.pack('HBBI' * 4, 0x20, 0, 0, 0, 0x15, 0, 1, bpf, 0x06, 0, 0, 0x50001, 0x06, 0, 0, 0x7fff0000)
buffer = ctypes.create_string_buffer(code)
libc.prctl(38, 1, 0, 0, 0)
assert libc.prctl(22, 2, struct.pack('HxxxxxxQ', 4, ctypes.addressof(buffer))) == 0
for _ in range(5): libc.syscall(bpf, 0, array, ctypes.sizeof(array))`);
    const labels = { container: 'filtered', operation: 'bpf', verdict: 'denied' };
    assert.equal((await pod.scrape()).value(operations, labels), 5);
  });

  test('takes no call of a 32-bit program for the one that has its number in others', async (t) => {
    if (process.arch !== 'x64') return t.skip('has machine code of x86');
    const run = await startObedient(pod.addContainer('compat'), prelude);
    // setitimer(99, 0, 0) of i386, which has the number of setuid.
    const code = '53b869000000bb63000000b900000000ba00000000cd805bc3';
    await run(`
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(bytes.fromhex('${code}'))
call_i386 = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
assert [call_i386() for _ in range(5)] == [-22] * 5
os.setuid(0)`);
    assert.deepEqual([...counts(await pod.scrape(), operations, 'compat')], [['setuid success', 1]]);
  });

  test('counts checks of capabilities, by capability and verdict', async (t) => {
    const hook = { probe: 'security', program: 'capability_check' };
    if ((await pod.scrape()).value('bpf_sidecar_program_attached', hook) === 0)
      return t.skip('needs the tracepoint cap_capable, of Linux 6.14');
    const container = pod.addContainer('checked');
    const privileged = await startObedient(container, prelude);
    const without = await startUnprivileged(container);
    const start = counts(await pod.scrape(), checks, 'checked');
    await privileged('for _ in range(40): os.setuid(0); os.setgid(0)');
    await without(`
for _ in range(30):
    setting(os.setuid, 0); setting(os.setgid, 0); setting(os.chroot, '/')`);
    const grown = growth(counts(await pod.scrape(), checks, 'checked'), start);
    // The kernel asks for SYS_ADMIN of whoever maps memory.
    for (const verdict of ['success', 'denied']) delete grown[`SYS_ADMIN ${verdict}`];
    assert.deepEqual(grown, {
      'SETGID denied': 30,
      'SETGID success': 40,
      'SETUID denied': 30,
      'SETUID success': 40,
      'SYS_CHROOT denied': 30,
    });
  });

  test('counts nothing that another pod or the sidecar does', async () => {
    const other = await startObservedPod({ probes: 'security', pod: 'other' });
    after(() => other.stop());
    const start = await pod.scrape();
    const busy = await startObedient(other.addContainer('web'), prelude);
    const sidecar = await startObedient(pod.sidecar, prelude);
    await busy('everything()');
    await sidecar('everything()');
    const end = await pod.scrape();
    for (const name of [operations, checks]) assert.equal(end.sum(name), start.sum(name), name);
    const labels = { container: 'web', operation: 'bpf', verdict: 'success' };
    assert.equal((await other.scrape()).value(operations, labels), 9);
  });

  test('counts connections and datagrams to addresses out of the known networks, and never this machine', async () => {
    const known = '10.0.0.0/8+198.18.0.0/15+fd00::/8';
    const options = { 'bpf.sh/probe-options': `security.known=${known}` };
    const [observed, other] = await Promise.all([
      startObservedPod({ probes: 'security', annotations: options }),
      startObservedPod({ probes: 'security', annotations: options, pod: 'other' }),
    ]);
    after(() => Promise.all([observed.stop(), other.stop()]));
    const web = await startObedient(observed.addContainer('web'), talk);
    await web('talk()');
    assert.deepEqual(growth(counts(await observed.scrape(), destinations, 'web'), new Map()), {
      'ipv4 tcp': 5,
      'ipv4 udp': 7,
      'ipv6 tcp': 8,
      'ipv6 udp': 7,
    });
    assert.equal((await other.scrape()).sum(destinations), 0);
    await (await startObedient(observed.sidecar, talk))('talk()');
    assert.equal((await observed.scrape()).sum(destinations), 27);
  });

  test('counts no connection where no networks are known', async () => {
    await (await startObedient(pod.addContainer('talking'), talk))('talk()');
    assert.equal((await pod.scrape()).sum(destinations), 0);
  });

  test('lost nothing in silence', async () => {
    assert.equal((await pod.scrape()).value('bpf_security_events_uncounted_total'), 0);
  });
});
