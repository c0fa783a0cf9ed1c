import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import jsonpatch from 'fast-json-patch';
import { parse, stringify } from 'yaml';
import { decide } from '../../../webhook/admission/decide.ts';
import { patchOf } from '../../../webhook/admission/patch.ts';
import { config, fixtures, type Raw } from '../fixtures.ts';
import { programs } from './resources.ts';

const fixture = (name: string) => new URL(`programs/${name}.yaml`, fixtures);
const read = (name: string): Raw => parse(readFileSync(fixture(name), 'utf8'));

test('the programs of a pod become volumes, as the golden file says', () => {
  const pod = read('pod');
  const patch = patchOf(decide(pod, config, {}, programs), config.version, '0123456789abcdef');
  const injected = jsonpatch.applyPatch(pod, patch, true).newDocument;
  // UPDATE_GOLDEN=1 writes what the code does now.
  if (process.env.UPDATE_GOLDEN === '1')
    writeFileSync(fixture('injected'), stringify(injected, { lineWidth: 0 }));
  assert.deepEqual(injected, read('injected'));
});

test('a pod that has its programs does not get them again', () => {
  const decision = decide(read('injected'), config, {}, programs);
  assert.equal(!decision.inject && decision.reason, 'already-injected');
});

test('a sidecar with volumes of other programs is not ours', () => {
  const pod = read('injected');
  pod.spec.volumes.at(-1).projected.sources[0].secret.name = 'token';
  const decision = decide(pod, config, {}, programs);
  assert.ok(!decision.inject);
  assert.equal(decision.reason, 'sidecar-changed');
  assert.match(decision.messages[0]!, /differs from the one to inject in its volumes/);
});
