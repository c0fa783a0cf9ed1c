import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileProgram } from '../../scripts/bpf/compile-program.ts';
import { parseBtf } from '../../sidecar/libbpf/btf.ts';
import { counting } from '../support/author.ts';
import { eventually } from '../support/eventually.ts';
import { request } from '../support/http.ts';
import { output } from '../support/pod.ts';
import { podWith } from '../support/programs.ts';
import { writing } from '../support/work.ts';

/**
 * An object whose types refer to one that is not there: in the section .BTF, after its header, some type or member has the
 * number 0xffffff for a type's. Older versions of libbpf crash on it.
 */
function malformed(elf: Buffer): Buffer {
  const broken = Buffer.from(elf);
  const header = broken.indexOf(Buffer.from([0x9f, 0xeb, 1, 0, 24, 0, 0, 0]));
  const btf = parseBtf(broken.subarray(header));
  for (const type of btf.offsets.slice(1)) {
    const kind = broken[header + type + 7]! & 0x1f;
    // struct: the type of its first member.
    if (kind === 4) broken.writeUInt32LE(0xffffff, header + type + 12 + 4);
  }
  return broken;
}

const onCall = (call: string, more = '') =>
  compileProgram(
    counting(
      `${more}
SEC("tp_btf/sys_enter") int calls(__u64 *ctx) { if (ctx[1] == __NR_${call}) increment(); return 0; }`,
    ),
  );

const spec = (name: string) => `metrics: { counters: [{ name: ${name}, map: events_total, labels: [] }] }`;

test('programs of ConfigMaps count, with a metric spec and without', async (t) => {
  const elf = await onCall('write');
  const { pod } = await podWith(t, {
    'my-writes': { elf, yaml: `${spec('my_writes_total')}\ntracing: { spans: [] }` },
    plain: { elf },
  });
  assert.equal((await request(pod.url('/readyz'))).text, 'every probe is attached\n');
  await output(pod.addContainer('web'), ...writing(123));
  const { value } = await pod.scrape();
  assert.equal(value('bpf_my_writes_total'), 123);
  assert.equal(value('plain_events_total', { key: '00000' }), 123);
  assert.equal(value('bpf_syscalls_total', { container: 'web', syscall: 'write' }), 123);
  assert.equal(value('bpf_sidecar_program_attached', { probe: 'my-writes', program: 'calls' }), 1);
  const remark = 'the spans of "tracing" in its metric spec are not made';
  assert.ok((await request(pod.url('/'))).text.includes(`  ${remark}\n`));
  assert.ok(
    pod.running.containers[0]!.lastLines().some(
      (line) => JSON.parse(line).msg === `probe my-writes: ${remark}`,
    ),
  );
});

test('a changed ConfigMap replaces its program and touches no other', async (t) => {
  const { pod, change } = await podWith(t, {
    mine: { elf: await onCall('write'), yaml: spec('mine_total') },
    other: { elf: await onCall('write'), yaml: spec('other_total') },
  });
  const web = pod.addContainer('web');
  await output(web, ...writing(100));
  assert.equal((await pod.scrape()).value('bpf_mine_total'), 100);

  // The same name for a metric of another type, and another system call.
  change('mine', {
    elf: await onCall('dup2'),
    yaml: 'metrics: { gauges: [{ name: mine_total, map: events_total, labels: [] }] }',
  });
  await eventually(async () => {
    const { all } = await pod.scrape();
    assert.equal(all.find(({ name }) => name === 'bpf_mine_total')?.value, 0);
  });
  await output(web, ...writing(50));
  await output(web, 'python3', '-c', 'import os\nfor _ in range(7): os.dup2(1, 9)');
  const { value } = await pod.scrape();
  assert.ok(value('bpf_mine_total') >= 7);
  assert.equal(value('bpf_sidecar_config_changes_total', { result: 'accepted' }), 1);
  assert.ok(value('bpf_other_total') >= 150);
  assert.ok(value('bpf_syscalls_total', { container: 'web', syscall: 'write' }) >= 150);
});

test('a bad change leaves the program as it was, and is told', async (t) => {
  const elf = await onCall('write');
  const { pod, change } = await podWith(t, { mine: { elf, yaml: spec('mine_total') } });
  const web = pod.addContainer('web');
  const large = await onCall(
    'write',
    'struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 30000000); __type(key, __u32); __type(value, __u64); } large SEC(".maps");',
  );
  const hungry = await onCall('write', 'char zeros[1 << 30];');
  const refused = await compileProgram(
    counting('SEC("tp_btf/sys_enter") int calls(__u64 *ctx) { increment(); return *(int *)8; }'),
  );
  let expected = 0;
  for (const [files, reason] of [
    [{ elf: Buffer.from('no object'), yaml: spec('mine_total') }, /object mine is not an ELF file/],
    [
      { elf: malformed(elf), yaml: spec('mine_total') },
      /object mine (is malformed: libbpf crashes on it|cannot be)/,
    ],
    [
      { elf, yaml: '- '.repeat(100_000) },
      /mine\/metrics\.yaml: (was given up: reading it took|is not valid YAML: Maximum call stack)/,
    ],
    [{ elf, yaml: 'metrics: {}' }, /mine\/metrics\.yaml: metrics: must have at least one metric/],
    [
      { elf, yaml: 'metrics: { counters: [{ name: x, map: nowhere, labels: [] }] }' },
      /object mine has no map nowhere/,
    ],
    [
      { elf: refused, yaml: spec('mine_total') },
      /program calls cannot be loaded: EACCES.*invalid mem access 'scalar'/,
    ],
    [
      { elf: large, yaml: spec('mine_total') },
      /object mine: map large has 344 MiB, and all maps of an object may have 256 MiB together, not/,
    ],
    [
      { elf: hungry, yaml: spec('mine_total') },
      /object mine was given up: loading it takes more than 128 MiB, or than the memory limit/,
    ],
    [{ elf, yaml: spec('syscalls_total') }, /the name bpf_syscalls_total is already one of probe syscalls/],
    [{}, /program mine is not there: .*program\.bpf\.o comes from the ConfigMap/],
  ] as const) {
    change('mine', files);
    await eventually(async () => assert.match((await request(pod.url('/'))).text, reason));
    assert.match(
      (await request(pod.url('/'))).text,
      /^mine: changed files not accepted, those before are in force: .*1 program\(s\)$/m,
    );
    assert.equal((await request(pod.url('/readyz'))).status, 200);
    await output(web, ...writing(10));
    expected += 10;
    assert.equal((await pod.scrape()).value('bpf_mine_total'), expected);
  }
  assert.equal((await pod.scrape()).value('bpf_sidecar_config_changes_total', { result: 'rejected' }), 10);
  assert.match(
    pod.running.containers[0]!.lastLines().join('\n'),
    /probe mine: its changed files are not accepted, those before are in force: program mine is not there/,
  );
});

test('what cannot be had from the start is told, and the rest works', async (t) => {
  const { pod } = await podWith(t, {
    tcp: { elf: await onCall('write') },
    absent: {},
    fine: { elf: await onCall('write') },
  });
  const { status, text } = await request(pod.url('/readyz'));
  assert.equal(status, 503);
  assert.match(
    text,
    /^probe tcp: program tcp has the name of a built-in probe; give its BPF resource another one$/m,
  );
  assert.match(text, /^probe absent: program absent is not there: /m);
  await output(pod.addContainer('web'), ...writing(5));
  assert.equal((await pod.scrape()).value('fine_events_total'), 5);
});
