import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import type { Container } from '../../../../scripts/node/sandbox.ts';
import { counting, eventsOf, startAuthored } from '../../../support/author.ts';
import { barePodsFor } from '../../../support/bare-pod.ts';
import { output } from '../../../support/pod.ts';

const program = (event: string) =>
  counting(`SEC("perf_event/${event}") int sample(void *ctx) { increment(); return 0; }`);

/** Page faults of software, each at a page of its own: anonymous memory that is written to for the first time. */
const faulting = (pages: number) => `
import mmap
memory = mmap.mmap(-1, ${pages} * 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
memory.madvise(mmap.MADV_NOHUGEPAGE) if hasattr(mmap, 'MADV_NOHUGEPAGE') else None
for page in range(${pages}): memory[page * 4096] = 1
`;

test('a period counts every event of the pod: each page fault, and none of others', async (t) => {
  const { pod, web, sidecar, outsider } = await barePodsFor(t);
  // PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS
  const probe = await startAuthored(program('type=1,config=2,period=1'), pod);
  t.after(() => probe.close());
  assert.deepEqual(
    probe.programs.map(({ problem }) => problem),
    [undefined],
  );
  const faultsOf = async (container: Container, pages: number) => {
    const before = eventsOf(probe)!;
    await output(container, 'python3', '-c', faulting(pages));
    return eventsOf(probe)! - before;
  };
  assert.equal(await faultsOf(sidecar, 100), 0);
  assert.equal(await faultsOf(outsider, 100), 0);
  // What the interpreter itself needs varies by a few, and 2,000 pages are no few.
  const [few, many] = [await faultsOf(web, 1), await faultsOf(web, 2001)];
  assert.ok(many - few > 1900 && many - few < 2100, `${few} and then ${many}`);
});

test('a frequency samples the CPU time of the pod', async (t) => {
  const { pod, web, outsider } = await barePodsFor(t);
  // PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK
  const probe = await startAuthored(program('type=1,config=0,frequency=999'), pod);
  t.after(() => probe.close());
  const spin = 'import time\nend = time.process_time() + 0.4\nwhile time.process_time() < end: pass';
  await output(outsider, 'python3', '-c', spin);
  assert.equal(eventsOf(probe), 0);
  await output(web, 'python3', '-c', spin);
  assert.ok(eventsOf(probe)! > 100, `${eventsOf(probe)} samples of 0.4 s at 999 Hz`);
});

test('an event that the machine has not, and one that is none, are told', async (t) => {
  const { pod } = await barePodsFor(t);
  const code = `
SEC("perf_event/type=77,config=3,frequency=1") int unknown(void *ctx) { return 0; }
SEC("perf_event/type=1,config=0,frequency=20000") int often(void *ctx) { return 0; }
SEC("perf_event/cycles") int named(void *ctx) { return 0; }
SEC("perf_event/type=1,config=0,period=1000000") int fine(void *ctx) { increment(); return 0; }`;
  const probe = await startAuthored(counting(code), pod);
  t.after(() => probe.close());
  const problems = Object.fromEntries(probe.programs.map(({ name, problem }) => [name, problem]));
  assert.equal(problems.unknown, 'program unknown: this machine has no perf event of type 77 and config 3');
  assert.equal(problems.often, 'program often: a frequency of 20000 Hz is above the allowed 10000');
  assert.equal(
    problems.named,
    'program named: section "perf_event/cycles" must be perf_event/type=<n>,config=<n>,frequency=<Hz> or …,period=<events>',
  );
  assert.equal(problems.fine, undefined);
});

test('hardware events work, or the machine is said to have none', async (t) => {
  const { pod } = await barePodsFor(t);
  // PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES
  const probe = await startAuthored(program('type=0,config=0,period=1000000'), pod);
  t.after(() => probe.close());
  const [{ problem } = {}] = probe.programs;
  const hasHardware =
    existsSync('/sys/bus/event_source/devices/cpu') ||
    existsSync('/sys/bus/event_source/devices/armv8_pmuv3_0');
  assert.equal(
    problem,
    hasHardware ? undefined : 'program sample: this machine has no perf event of type 0 and config 0',
  );
});
