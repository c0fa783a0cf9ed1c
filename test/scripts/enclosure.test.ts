import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { test } from 'node:test';
import { startDaemon } from '../../scripts/cluster/node/daemon.ts';
import { enclose, isThere, runEnclosed } from '../../scripts/cluster/node/enclosure.ts';
import { whyNoNode } from '../../scripts/cluster/node/missing.ts';
import { removeNode, startNode } from '../../scripts/cluster/node/node.ts';
import { directory } from '../../scripts/cluster/node/place.ts';
import { mounts } from '../../scripts/node/mounts.ts';
import { eventually } from '../support/eventually.ts';
import { tracesOf } from '../support/traces.ts';

const skip = whyNoNode() ?? (isThere() && 'there is a cluster of npm run cluster:up on this machine');

test('what has begun to be a cluster is removed without a trace', { skip }, async (t) => {
  t.after(removeNode);
  const covered = () =>
    mounts()
      .map(({ target }) => target)
      .filter((target) => /^\/(run|var\/lib|var\/log|sys\/fs\/bpf|proc\/sys\/.*)$/.test(target));
  const before = covered();
  mkdirSync(directory);
  await enclose();
  const look = 'cat /proc/self/cgroup /proc/self/mountinfo; touch /var/lib/a /run/b';
  const seen = await runEnclosed('sh', '-c', look);
  assert.match(seen, /^0::\/bpf-sidecar-cluster\/daemons$/m);
  assert.match(seen, / \/sys\/fs\/bpf .* - bpf /);
  await assert.rejects(
    startDaemon('brief', 'sh', { nonsense: true }).until(() => false),
    /^Error: brief ended with exit code 2; it wrote:\n {4}\S/,
  );
  assert.deepEqual(covered(), before, 'the host sees nothing of its mounts');
  await assert.rejects(
    startNode(),
    /^Error: there is a cluster already, or a part of one: npm run cluster:down removes it$/,
  );

  await removeNode();
  await eventually(() => assert.deepEqual(tracesOf([]), []));
  assert.ok(!isThere());
  await removeNode();
});
