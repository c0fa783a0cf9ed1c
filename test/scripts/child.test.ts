import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { failure, watch } from '../../scripts/node/child.ts';

test('a process that fails is told with its last lines, and without those that tell nothing', async () => {
  const script = 'echo out; i=0; while [ $i -lt 100 ]; do i=$((i + 1)); echo noise-$i >&2; done; exit 3';
  const run = () => spawn('sh', ['-c', `echo 'what is wrong' >&2; ${script}`]);
  const [all, telling] = [watch(run()), watch(run(), undefined, (line) => !line.startsWith('noise'))];
  await Promise.all([all.ended, telling.ended]);
  assert.equal(all.lastLines().length, 25);
  assert.equal(telling.outcome(), 'ended with exit code 3');
  assert.deepEqual(telling.lastLines().toSorted(), ['out', 'what is wrong']);
  assert.match(failure('It', telling), /^It ended with exit code 3; it wrote:\n {4}\S/);
});
