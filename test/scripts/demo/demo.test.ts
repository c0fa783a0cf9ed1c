import assert from 'node:assert/strict';
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { stateDirectory } from '../../../scripts/node/claims.ts';
import { parse } from '../../../webhook/cli/top/samples.ts';

const script = join(import.meta.dirname, '../../../scripts/demo.ts');

function demo(...argv: string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [script, ...argv], { encoding: 'utf8' });
}

/** What a demo has on this machine while it runs. */
function traces(): string[] {
  return [
    ...(existsSync(stateDirectory) ? readdirSync(stateDirectory) : []),
    ...readdirSync('/sys/class/net').filter((name) => name.startsWith('bpfsc-')),
    ...readdirSync(tmpdir()).filter((name) => name.startsWith('bpf-sidecar-demo-')),
  ];
}

test('the demo shows the pod at work, saves its metrics, and leaves nothing', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-test-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const before = traces();
  const file = join(directory, 'metrics.txt');
  const { status, stdout, stderr } = demo('--seconds', '3', '--metrics-out', file);
  assert.equal(status, 0, stdout + stderr);
  assert.equal(stderr, '');
  assert.match(stdout, /Admission +examples\/pod.yaml, over TLS: allowed/);
  assert.match(stdout, /3 s {2}web: [\d,.]+ syscalls\/s/);
  const samples = parse(readFileSync(file, 'utf8'));
  const value = (name: string, container: string) =>
    samples
      .filter((sample) => sample.name === name && sample.labels.container === container)
      .reduce((sum, sample) => sum + sample.value, 0);
  assert.ok(value('bpf_syscalls_total', 'web') > 0);
  assert.ok(value('bpf_tcp_connections_opened_total', 'client') > 0);
  assert.ok(value('bpf_tcp_connections_accepted_total', 'web') > 0);
  assert.deepEqual(traces(), before);
});

for (const [signal, code] of [
  ['SIGINT', 0],
  ['SIGTERM', 143],
] as const)
  test(`a demo that ${signal} ends cleans up and exits with ${code}`, async () => {
    const before = traces();
    const child = spawn(process.execPath, [script, '--keep', '--seconds', '1']);
    let output = '';
    for await (const line of createInterface(child.stdout)) {
      output += `${line}\n`;
      if (/keeps running/.test(line)) child.kill(signal);
    }
    const [status] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode];
    assert.equal(status, code, output);
    assert.match(output, /Cleaning up +the processes, cgroups and network/);
    assert.deepEqual(traces(), before);
  });

test('a capability that is missing is named, with what to do', () => {
  const { status, stderr } = spawnSync(
    'setpriv',
    ['--bounding-set=-bpf,-perfmon', process.execPath, script],
    {
      encoding: 'utf8',
    },
  );
  assert.equal(status, 1);
  assert.match(
    stderr,
    /root lacks CAP_PERFMON \(.*\), CAP_BPF \(to load eBPF programs\): run the demo on the machine itself, or in a container with --privileged\n/,
  );
});

for (const [argv, message] of [
  [['--seconds', 'soon'], 'demo: --seconds soon: must be a whole number from 1 to 99999\n'],
  [['--spec', 'x.yaml'], 'demo: --spec x.yaml: needs --program; see --help\n'],
  [['--program', 'x.o'], 'demo: --program x.o: must end with .bpf.o\n'],
  [['--program', 'x.bpf.o'], /^demo: --program x\.bpf\.o: cannot be read: ENOENT.*\n$/],
  [['--colour'], /^demo: Unknown option '--colour'.*; see --help\n$/],
] as const)
  test(`${argv.join(' ')} is wrong usage`, () => {
    const { status, stderr } = demo(...argv);
    assert.equal(status, 2);
    if (typeof message === 'string') assert.equal(stderr, message);
    else assert.match(stderr, message);
  });
