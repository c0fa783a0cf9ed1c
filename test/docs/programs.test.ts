import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { skipReasons } from '../../webhook/admission/reasons.ts';
import { readProgram } from '../../webhook/programs/resource.ts';
import { block, read } from './documents.ts';

const document = 'docs/programs.md';

for (const example of ['example: BPF', 'example: BPF with its metric spec']) {
  test(`the ${example} is a resource that pods can have`, () => {
    const { apiVersion, kind, metadata, spec } = parse(block(document, example));
    assert.deepEqual([apiVersion, kind], ['bpf.sh/v1alpha1', 'BPF']);
    const program = readProgram(metadata.name, spec);
    assert.deepEqual(program.object, { kind: 'ConfigMap', name: 'writes', key: 'writes.bpf.o' });
    assert.ok(program.spec);
  });
}

test('a mistake in a resource is told as the document shows', () => {
  const { metadata, spec } = parse(
    block(document, 'example: BPF with its metric spec').replace('map:', 'mapp:'),
  );
  const [message] = block(document, 'output: a mistake in a BPF resource').split('\n');
  assert.throws(() => readProgram(metadata.name, spec), { message });
});

test('the document has every reason that is about programs, and no other', () => {
  const reasons = Object.keys(skipReasons).filter((name) => name.startsWith('program'));
  const named = [...read(document).matchAll(/`(programs?-[\w-]+)`/g)].map(([, name]) => name!);
  assert.deepEqual([...new Set(named)].sort(), reasons.sort());
});
