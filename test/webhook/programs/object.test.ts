import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readObject } from '../../../sidecar/objects.ts';
import { objectProblem } from '../../../webhook/programs/object.ts';

const root = join(import.meta.dirname, '../../..');

test('an object of clang passes, and what is none is told', () => {
  assert.equal(objectProblem(readObject('tcp')), undefined);
  assert.match(
    objectProblem(readFileSync(process.execPath))!,
    /^is an ELF object for another machine than eBPF/,
  );
  assert.match(objectProblem(readFileSync(join(root, 'bpf/tcp.bpf.c')))!, /^is no ELF object/);
  assert.match(objectProblem(Buffer.from('\x7fELF', 'latin1'))!, /^is no ELF object/);
});
