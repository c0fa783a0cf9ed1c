import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readProgramFiles } from '../../webhook/programs/files.ts';
import { compilationOf, filesOf } from '../docs/steps.ts';
import { output, podFor } from '../support/pod.ts';

const directory = join(import.meta.dirname, '../../examples/event-loop');
const tutorial = 'docs/tutorial.md';

test('the example is what the tutorial comes to', () => {
  const example = readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), 'utf8')]);
  assert.deepEqual(Object.fromEntries(example), Object.fromEntries(filesOf(tutorial)));
});

/** Waits with so many events at hand, each so many times, and once until a signal comes. */
const waiting = `
import ctypes, os, select, signal
libc = ctypes.CDLL(None)
room = ctypes.create_string_buffer(16 * 64)
pipes = [os.pipe() for _ in range(12)]
loop = select.epoll()
for reader, _ in pipes: loop.register(reader, select.EPOLLIN)
def wait(milliseconds): return libc.epoll_pwait(loop.fileno(), room, 64, milliseconds, None)
for events, times in ((0, 7), (1, 5), (3, 2), (12, 1)):
    for _, writer in pipes[:events]: os.write(writer, b'x')
    for _ in range(times): assert wait(0) == events
    for reader, _ in pipes[:events]: os.read(reader, 1)
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 0.05)
assert wait(60_000) == -1
`;

test('the example counts wake-ups and events to the last one', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'bpf-sidecar-test-'));
  t.after(() => rmSync(root, { recursive: true }));
  cpSync(directory, root, { recursive: true });
  execFileSync('sh', ['-ec', compilationOf(tutorial)], { cwd: root });

  const pod = await podFor(t, {
    probes: '',
    annotations: { 'bpf.sh/programs': 'loop' },
    programs: { resources: readProgramFiles([join(root, 'bpf.yaml')]) },
    configMaps: { loop: root },
  });
  await output(pod.addContainer('web'), 'python3', '-c', waiting);
  const { value } = await pod.scrape();
  const labels = { container: 'web', command: 'python3' };
  for (const [woken_by, count] of Object.entries({ timeout: 7, event: 8, signal: 1 }))
    assert.equal(value('bpf_loop_wakeups_total', { ...labels, woken_by }), count, woken_by);
  for (const [le, count] of [
    ['0', 7],
    ['1', 12],
    ['2', 12],
    ['3', 14],
    ['8', 14],
    ['+Inf', 15],
  ] as const)
    assert.equal(value('bpf_loop_events_bucket', { ...labels, le }), count, le);
  assert.equal(value('bpf_loop_events_count', labels), 15);
  assert.equal(value('bpf_loop_events_sum', labels), 5 + 2 * 3 + 12);
});
