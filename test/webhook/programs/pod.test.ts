import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { compileProgram } from '../../../scripts/bpf/compile-program.ts';
import { readReadiness } from '../../../webhook/programs/loads.ts';
import { readProgram } from '../../../webhook/programs/resource.ts';
import { counting } from '../../support/author.ts';
import { eventually } from '../../support/eventually.ts';
import { request } from '../../support/http.ts';
import { output, podFor } from '../../support/pod.ts';
import { writing } from '../../support/work.ts';

const code = counting(
  'SEC("tp_btf/sys_enter") int calls(__u64 *ctx) { if (ctx[1] == __NR_write) increment(); return 0; }',
);
const spec = (name: string) =>
  JSON.stringify({ metrics: { counters: [{ name, help: 'Writes.', map: 'events_total', labels: [] }] } });

test('a pod starts without the ConfigMaps of its programs, and runs what is in them as they come and change', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'bpf-sidecar-test-'));
  t.after(() => rmSync(root, { recursive: true }));
  const configMap = (name: string) => join(root, name);
  const put = (name: string, key: string, content: string | Buffer) => {
    mkdirSync(configMap(name), { recursive: true });
    writeFileSync(join(configMap(name), key), content);
    pod.running.updateVolumes();
  };
  const calls = readProgram('calls', {
    program: { valueFrom: { configMapKeyRef: { name: 'objects', key: 'calls.o' } } },
    metrics: { value: JSON.parse(spec('calls_total')) },
  });
  const pod = await podFor(t, {
    probes: '',
    annotations: { 'bpf.sh/programs': 'calls' },
    programs: { resources: new Map([['calls', calls]]) },
    configMaps: { objects: configMap('objects'), 'calls.bpf.sh': configMap('calls.bpf.sh') },
  });
  const ready = () => request(pod.url('/readyz'));
  const says = (sentence: RegExp) => eventually(async () => assert.match((await ready()).text, sentence));
  const said = async () => {
    const { status, text } = await ready();
    return readReadiness(status, text, 'calls');
  };

  await says(
    /^probe calls: program calls is not there: \S+\/calls\/program\.bpf\.o comes from the ConfigMap/,
  );
  assert.match(JSON.stringify(await said()), /^\{"refused":"probe calls: program calls is not there/);
  put('objects', 'calls.o', await compileProgram(code));
  await says(
    /^probe calls: the metric spec of program calls is not there: \S+\/calls\/metrics\.yaml comes from/,
  );
  assert.doesNotMatch((await request(pod.url('/metrics'))).text, /events_total/);

  put('calls.bpf.sh', 'metrics.yaml', spec('calls_total'));
  await says(/^every probe is attached/);
  assert.equal(await said(), 'attached');
  const web = pod.addContainer('web');
  await output(web, ...writing(4711));
  assert.equal((await pod.scrape()).value('bpf_calls_total'), 4711);

  put('calls.bpf.sh', 'metrics.yaml', spec('writes_total'));
  await eventually(async () => {
    const { text } = await request(pod.url('/metrics'));
    assert.match(text, /\nbpf_writes_total\{/);
    assert.doesNotMatch(text, /\nbpf_calls_total\{/);
  });

  rmSync(configMap('objects'), { recursive: true });
  pod.running.updateVolumes();
  await eventually(async () =>
    assert.match(
      (await request(pod.url('/'))).text,
      /calls: changed files not accepted, those before are in force/,
    ),
  );
  assert.match((await request(pod.url('/metrics'))).text, /\nbpf_writes_total\{/);
});
