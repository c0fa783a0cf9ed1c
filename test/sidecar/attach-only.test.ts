import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileProgram } from '../../scripts/bpf/compile-program.ts';
import { counting, countingSpec } from '../support/author.ts';
import { eventually } from '../support/eventually.ts';
import { request } from '../support/http.ts';
import { output } from '../support/pod.ts';
import { podWith } from '../support/programs.ts';
import { writing } from '../support/work.ts';

const spec = countingSpec.replace('name: events_total', 'name: mine_total, map: events_total');

test("a user's own programs count in a sidecar that only attaches, and do not change any more", async (t) => {
  const elf = await compileProgram(
    counting(
      'SEC("tp_btf/sys_enter") int f(__u64 *ctx) { if (ctx[1] == __NR_write) increment(); return 0; }',
    ),
  );
  const { pod, change } = await podWith(t, { mine: { elf, yaml: spec } }, { privilege: 'attach-only' });
  assert.equal((await request(pod.url('/readyz'))).text, 'every probe is attached\n');
  const web = pod.addContainer('web');
  await output(web, ...writing(37));
  assert.equal((await pod.scrape()).value('bpf_mine_total'), 37);

  change('mine', { elf, yaml: spec.replace('Events.', 'Others.') });
  await eventually(async () =>
    assert.match(
      (await request(pod.url('/'))).text,
      /^mine: changed files not accepted, those before are in force: the administrator has the sidecar keep no capabilities for that \(--privilege attach-only\); create the pod anew; 1 program\(s\)$/m,
    ),
  );
  await output(web, ...writing(5));
  assert.equal((await pod.scrape()).value('bpf_mine_total'), 42);
});

test('programs that are attached as containers start are refused by a sidecar that only attaches', async (t) => {
  const elf = await compileProgram(
    counting('SEC("uprobe/libc.so.6:getppid") int f(void *ctx) { increment(); return 0; }'),
  );
  const { pod } = await podWith(t, { mine: { elf, yaml: spec } }, { privilege: 'attach-only' });
  const { status, text } = await request(pod.url('/readyz'));
  assert.equal(status, 503);
  assert.equal(
    text,
    'probe mine: its programs on functions of executables are attached when containers start, and the administrator has the sidecar keep no capabilities for that (--privilege attach-only)\n',
  );
});
