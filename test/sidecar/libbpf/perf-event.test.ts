import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';

const paranoia = '/proc/sys/kernel/perf_event_paranoid';

function setParanoia(t: TestContext, level: number): void {
  const before = readFileSync(paranoia, 'utf8');
  t.after(() => writeFileSync(paranoia, before));
  writeFileSync(paranoia, String(level));
}

/** What a process with these capabilities alone gets when it opens an event that counts page faults: the error's message. */
async function openWith(capabilities: string): Promise<string> {
  const module = join(import.meta.dirname, '../../../sidecar/libbpf/perf-event.ts');
  const script = `
    import { openPerfEvent } from ${JSON.stringify(module)};
    try { openPerfEvent({ type: 1, config: 2 }, { cpu: 0 }); } catch (error) { process.stdout.write(error.message); }`;
  const argv = [
    '--bounding-set',
    `-all${capabilities}`,
    process.execPath,
    '--input-type=module',
    '-e',
    script,
  ];
  return (await promisify(execFile)('setpriv', argv)).stdout;
}

test('who may not open a perf event is told what is missing', async (t) => {
  setParanoia(t, 2);
  assert.equal(await openWith(',+perfmon'), '');
  assert.equal(
    await openWith(''),
    'perf_event_open on CPU 0 failed: EACCES (not permitted: the container must be privileged, or have CAP_PERFMON, and for uprobes CAP_SYS_ADMIN)',
  );
});

const strict =
  'perf_event_open on CPU 0 failed: EACCES (not permitted: kernel.perf_event_paranoid is 3, above 2, where kernels of some distributions ask for CAP_SYS_ADMIN; write SEC("raw_tp/…") or SEC("tp_btf/…"), which open no perf event, or run the sidecar privileged, or set it to 2)';

test('where kernel.perf_event_paranoid is above 2 the error says so and what to do', async (t) => {
  setParanoia(t, 3);
  assert.equal(await openWith(''), strict);
  assert.equal(await openWith(',+sys_admin'), '');
});

test('where the kernel has a level above 2 CAP_PERFMON is not enough', async (t) => {
  setParanoia(t, 3);
  const message = await openWith(',+perfmon');
  if (message === '')
    return t.skip('this kernel lets CAP_PERFMON open perf events at any level of kernel.perf_event_paranoid');
  assert.equal(message, strict);
});
