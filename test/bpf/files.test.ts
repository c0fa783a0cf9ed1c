import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { sourceDirectory } from '../../scripts/bpf/compile.ts';
import type { Container } from '../../scripts/node/sandbox.ts';
import { syscallRuns } from '../../sidecar/series/decoders/syscall-names.ts';
import { eventually } from '../support/eventually.ts';
import { type ObservedPod, output, type Samples, startObservedPod } from '../support/pod.ts';

/** Every call that counts, and then what must not: its argument is a directory. */
const work = `
import os, socket, sys
directory = sys.argv[1]
path = directory + '/file'
file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
for _ in range(1000): os.write(file, b'x' * 10)
for _ in range(100): os.pwrite(file, b'x' * 20, 0)
os.writev(file, [b'x' * 3, b'x' * 4])
os.pwritev(file, [b'x' * 5, b'x' * 6], 0)
os.pwritev(file, [b'x' * 7], 0, os.RWF_DSYNC)
os.lseek(file, 0, 0)
for _ in range(500): os.read(file, 10)
for _ in range(50): os.pread(file, 20, 0)
os.readv(file, [bytearray(3), bytearray(4)])
os.preadv(file, [bytearray(5), bytearray(6)], 0)
os.preadv(file, [bytearray(7)], 0, os.RWF_HIPRI)
for _ in range(5): os.fsync(file)
for _ in range(6): os.fdatasync(file)
readable = os.open(path, os.O_RDONLY)
for _ in range(7):
    try: os.write(readable, b'x')
    except OSError: pass
for _ in range(8):
    try: os.open(directory + '/nothing', os.O_RDONLY)
    except FileNotFoundError: pass
os.pread(file, 10, 1 << 30)

os.mkfifo(directory + '/fifo')
fifo = os.open(directory + '/fifo', os.O_RDWR)
os.write(fifo, b'x'); os.read(fifo, 1)
parent = os.open(directory, os.O_RDONLY)
for function in lambda: os.read(parent, 1), lambda: os.read(12345, 1), lambda: os.write(-1, b''), lambda: os.fsync(fifo):
    try: function()
    except OSError: pass
os.fsync(parent)
near, far = socket.socketpair()
os.write(near.fileno(), b'x'); os.read(far.fileno(), 1)
os.write(os.open('/dev/null', os.O_WRONLY), b'x')
os.read(os.open('/dev/zero', os.O_RDONLY), 1)
os.sendfile(near.fileno(), file, 0, 10)
for name in 'fifo', 'file': os.unlink(directory + '/' + name)
`;

/** Calls getpid as a 32-bit program does, whose number 20 is that of writev otherwise, with a file's descriptor. */
const compat = `
import ctypes, mmap, os, sys
# push rbx; mov ebx, edi; mov eax, 20; int 0x80; pop rbx; ret
code = bytes([0x53, 0x89, 0xfb, 0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0x5b, 0xc3])
memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
memory.write(code)
call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
for _ in range(100): assert call(file) == os.getpid()
os.write(file, b'x')
`;

/** What `work` does to regular files where its directory is. */
const expected = {
  operations: { read: 554, write: 1110, open: 2, fsync: 11 },
  bytes: { read: 500 * 10 + 50 * 20 + 7 + 11 + 7, write: 1000 * 10 + 100 * 20 + 7 + 11 + 7 },
  errors: { 'write EBADF': 7 },
};

/** The calls of <asm/unistd.h> that the probe counts. */
const calls: Record<string, string> = {
  ...Object.fromEntries(['read', 'pread64', 'readv', 'preadv', 'preadv2'].map((name) => [name, 'read'])),
  ...Object.fromEntries(
    ['write', 'pwrite64', 'writev', 'pwritev', 'pwritev2'].map((name) => [name, 'write']),
  ),
  ...Object.fromEntries(['open', 'openat', 'openat2', 'creat'].map((name) => [name, 'open'])),
  ...{ fsync: 'fsync', fdatasync: 'fsync' },
};

function counted(samples: Samples, container: string, type: string) {
  const labelled = (name: string, label: (labels: Record<string, string>) => string) =>
    Object.fromEntries(
      samples.all
        .filter(
          ({ name: other, labels }) =>
            other === name && labels.container === container && labels.system_filesystem_type === type,
        )
        .map(({ labels, value }) => [label(labels), value])
        .filter(([, value]) => value !== 0),
    );
  const operation = (labels: Record<string, string>) => labels.file_operation!;
  return {
    operations: labelled('bpf_file_operations_total', operation),
    bytes: labelled('bpf_file_io_bytes_total', operation),
    errors: labelled('bpf_file_operation_errors_total', (labels) => `${operation(labels)} ${labels.errno}`),
  };
}

/** The type of the file system that a path is on; of several at one place the one on top. */
function typeOf(path: string): string {
  const told = execFileSync('findmnt', ['-no', 'FSTYPE', '-T', path], { encoding: 'utf8' });
  return told.trim().split('\n').at(-1)!;
}

describe('the files probe', () => {
  let pod: ObservedPod;
  before(async () => {
    pod = await startObservedPod({ probes: 'files' });
  });
  after(() => pod.stop());

  const directoryIn = (parent: string) => {
    const directory = mkdtempSync(join(parent, 'bpf-sidecar-files-'));
    after(() => rmSync(directory, { recursive: true, force: true }));
    return directory;
  };
  const workIn = (container: Container, directory: string) =>
    output(container, 'python3', '-c', work, directory);

  test('counts each operation on a file of a tmpfs, its bytes and errors, and nothing that is no regular file', async () => {
    const memory = directoryIn('/dev/shm');
    assert.equal(typeOf(memory), 'tmpfs');
    await workIn(pod.addContainer('memory'), memory);
    const samples = await pod.scrape();
    assert.deepEqual(counted(samples, 'memory', 'tmpfs'), expected);
    // A file that is not there is on no file system.
    const missing = {
      container: 'memory',
      system_filesystem_type: '',
      file_operation: 'open',
      errno: 'ENOENT',
    };
    assert.ok(samples.value('bpf_file_operation_errors_total', missing) >= 8);
    for (const [operation, count] of Object.entries(expected.operations)) {
      const labels = { container: 'memory', system_filesystem_type: 'tmpfs', file_operation: operation };
      assert.equal(samples.value('bpf_file_operation_duration_seconds_count', labels), count);
      const took = samples.value('bpf_file_operation_duration_seconds_sum', labels);
      assert.ok(took > 0 && took < 60, `${took} s for ${count} times ${operation}`);
    }
    const types = samples.all
      .filter(({ name, labels }) => name === 'bpf_file_operations_total' && labels.container === 'memory')
      .map(({ labels }) => labels.system_filesystem_type!);
    for (const type of ['sockfs', 'pipefs', 'devtmpfs']) assert.ok(!types.includes(type), types.join());
  });

  test('counts the same on a file system on a disk', async (t) => {
    const directory = directoryIn(tmpdir());
    const disk = join(directory, 'disk');
    const mounted = join(directory, 'mounted');
    mkdirSync(mounted);
    try {
      execFileSync('truncate', ['-s', '16M', disk]);
      execFileSync('mkfs.ext2', ['-q', disk]);
      execFileSync('mount', ['-o', 'loop', disk, mounted], { stdio: 'pipe' });
    } catch (error) {
      return t.skip(`needs mkfs.ext2 and loop devices: ${(error as Error).message}`);
    }
    try {
      await workIn(pod.addContainer('disk'), mounted);
    } finally {
      execFileSync('umount', [mounted]);
    }
    assert.deepEqual(counted(await pod.scrape(), 'disk', 'ext2'), expected);
  });

  test('counts the files of an overlay as those, and not again as those of the layer', async () => {
    const web = pod.addContainer('layers');
    const directory = directoryIn(tmpdir());
    for (const name of ['lower', 'upper', 'work', 'merged']) mkdirSync(join(directory, name));
    const script =
      'cd "$1" && mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged && exec python3 -c "$2" merged';
    await output(web, 'unshare', '--mount', 'sh', '-c', script, 'sh', directory, work);
    assert.deepEqual(counted(await pod.scrape(), 'layers', 'overlay'), expected);
  });

  test('agrees with strace on a program that uses files of the root file system', async () => {
    const web = pod.addContainer('traced');
    const directory = directoryIn(tmpdir());
    const log = join(directory, 'strace');
    const type = typeOf('/usr');
    assert.equal(typeOf(directory), type, 'the temporary directory is on the root file system');
    // It waits for strace, which is outside of the pod and watches it alone.
    const shell = 'echo ready; read -r line; exec "$@"';
    const traced = web.spawn(['sh', '-c', shell, 'sh', 'python3', '-c', work, directory], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(traced.stdout!, 'data');
    const names = Object.keys(calls).filter(
      (name) => !(process.arch === 'arm64' && ['open', 'creat'].includes(name)),
    );
    const strace = spawn(
      'strace',
      ['-ff', '-y', '-e', `trace=${names.join()}`, '-o', log, '-p', String(traced.pid)],
      {
        stdio: ['ignore', 'ignore', 'ignore'],
      },
    );
    const tracer = () => /^TracerPid:\t(\d+)$/m.exec(readFileSync(`/proc/${traced.pid}/status`, 'utf8'))![1];
    await eventually(() => assert.equal(tracer(), String(strace.pid)));
    const before = counted(await pod.scrape(), 'traced', type);
    traced.stdin!.end('\n');
    await once(strace, 'exit');

    const told = { operations: {} as Record<string, number>, bytes: {} as Record<string, number> };
    let failedOpens = 0;
    const regular = (path: string) =>
      !/^\/(dev|proc|sys)\/|^(pipe|socket|UNIX|anon_inode)|\/fifo$/.test(path);
    // A file for each process.
    const logs = readdirSync(directory).filter((name) => name.startsWith('strace.'));
    const lines = logs.flatMap((name) => readFileSync(join(directory, name), 'utf8').split('\n'));
    for (const line of lines) {
      const [, name = '', given = '', result = ''] = /^(\w+)\((.*)\) += (.*)$/.exec(line) ?? [];
      const operation = calls[name];
      if (operation === undefined) continue;
      const opened = operation === 'open';
      if (opened && result.startsWith('-1')) failedOpens++;
      const path = /^\d+<([^>]*)>/.exec(opened ? result : given)?.[1];
      // A directory that is opened or fsynced is no regular file.
      if (path === undefined || !regular(path) || /O_DIRECTORY/.test(given) || path === directory) continue;
      told.operations[operation] = (told.operations[operation] ?? 0) + 1;
      if (!opened && Number(result) > 0)
        told.bytes[operation] = (told.bytes[operation] ?? 0) + Number(result);
    }

    const samples = await pod.scrape();
    const { operations, bytes } = counted(samples, 'traced', type);
    const less = (now: Record<string, number>, then: Record<string, number>) =>
      Object.fromEntries(Object.entries(now).map(([key, value]) => [key, value - (then[key] ?? 0)]));
    assert.deepEqual(
      { operations: less(operations, before.operations), bytes: less(bytes, before.bytes) },
      told,
    );
    assert.ok(told.operations.read! > expected.operations.read && told.operations.open! > 2);
    const nowhere = { container: 'traced', system_filesystem_type: '', file_operation: 'open' };
    // The shell had its own before.
    assert.ok(samples.value('bpf_file_operations_total', nowhere) >= failedOpens && failedOpens >= 8);
  });

  test('counts nothing of another pod, of the node, or of the sidecar itself', async () => {
    const other = await startObservedPod({ probes: 'files', pod: 'other' });
    after(() => other.stop());
    const own = async (samples: Promise<Samples>) =>
      (await samples).sum('bpf_file_operations_total', { system_filesystem_type: 'tmpfs' });
    const before = await own(pod.scrape());
    await workIn(other.addContainer('web'), directoryIn('/dev/shm'));
    await workIn(pod.sidecar, directoryIn('/dev/shm'));
    await once(spawn('python3', ['-c', work, directoryIn('/dev/shm')]), 'exit');
    assert.equal(await own(pod.scrape()), before);
    assert.deepEqual(counted(await other.scrape(), 'web', 'tmpfs'), expected);
    const { all } = await pod.scrape();
    assert.ok(!all.some(({ name, labels }) => /^bpf_file_/.test(name) && labels.container === 'bpf-sidecar'));
  });

  test('lost nothing in silence', async () => {
    assert.equal((await pod.scrape()).value('bpf_file_operations_uncounted_total'), 0);
  });

  test('never counts more than there was while another thread puts other files in the place of one', async () => {
    const racing = `
import os, sys, threading
file = os.open(sys.argv[1] + '/file', os.O_RDWR | os.O_CREAT, 0o600)
null = os.open('/dev/zero', os.O_RDONLY)
contested = os.dup(file)
done = False
def change():
    while not done:
        os.dup2(null, contested)
        os.close(contested)
        os.dup2(file, contested)
thread = threading.Thread(target=change)
thread.start()
for _ in range(20000):
    try: os.pread(contested, 1, 0)
    except OSError: pass
done = True
thread.join()
for _ in range(100): os.pread(contested, 1, 0)
os.unlink(sys.argv[1] + '/file')
`;
    await output(pod.addContainer('racing'), 'python3', '-c', racing, directoryIn('/dev/shm'));
    const samples = await pod.scrape();
    const { operations } = counted(samples, 'racing', 'tmpfs');
    assert.ok(operations.read! >= 100 && operations.read! <= 20_100, `${operations.read} reads`);
    assert.equal(operations.open, 1);
  });

  test('takes no call of a 32-bit program for another that has its number', async (t) => {
    if (process.arch !== 'x64') return t.skip('needs the 32-bit calls of x86');
    const web = pod.addContainer('compat');
    const directory = directoryIn('/dev/shm');
    const python = web.spawn(['python3', '-c', compat, join(directory, 'file')], { stdio: 'ignore' });
    const [code, signal] = await once(python, 'exit');
    if (signal === 'SIGSEGV') return t.skip('needs a kernel with CONFIG_IA32_EMULATION');
    assert.equal(code, 0);
    const { operations } = counted(await pod.scrape(), 'compat', 'tmpfs');
    assert.deepEqual(operations, { open: 1, write: 1 });
  });

  test('knows the calls by the numbers that each architecture gives them', () => {
    const header = readFileSync(join(sourceDirectory, 'include/file-calls.bpf.h'), 'utf8');
    const [x64, arm64] = header.split('#else') as [string, string];
    for (const [architecture, text] of [
      ['x64', x64],
      ['arm64', arm64],
    ] as const) {
      const numbers = new Map(
        syscallRuns[architecture].flatMap(([first, run]) =>
          run
            .trim()
            .split(/\s+/)
            .map((name, index): [string, number] => [name, first + index]),
        ),
      );
      const defined = [...text.matchAll(/^#define CALL_(\w+) +(\d+)$/gm)].map(([, name, number]) => [
        name,
        Number(number),
      ]);
      const wanted = Object.keys(calls)
        .filter((name) => numbers.has(name))
        .map((name) => [name, numbers.get(name)]);
      assert.deepEqual(Object.fromEntries(defined), Object.fromEntries(wanted));
      assert.equal(wanted.length, architecture === 'x64' ? 16 : 14);
    }
  });
});
