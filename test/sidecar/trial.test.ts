import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { compileProgram } from '../../scripts/bpf/compile-program.ts';
import { trialOption } from '../../sidecar/apart.ts';
import { toLoad } from '../../sidecar/contract/capabilities.ts';
import { tryObject } from '../../sidecar/trial.ts';
import { counting } from '../support/author.ts';
import { eventually } from '../support/eventually.ts';
import { entrypoint } from '../support/pod.ts';
import { maskOf, threadsOf } from '../support/threads.ts';

const elf = await compileProgram(
  counting('SEC("cgroup_skb/ingress") int f(void *ctx) { increment(); return 1; }'),
);

test('the process that tries an object can load programs and has no other capability, in any thread', async (t) => {
  const [command, ...argv] = [...entrypoint, 'run', `--${trialOption}`];
  const child = spawn(command!, argv, { env: {}, stdio: ['pipe', 'inherit', 'inherit'] });
  t.after(() => child.kill());
  // It waits for the object.
  await eventually(() => {
    for (const { name, permitted, noNewPrivileges } of threadsOf(child.pid!)) {
      assert.equal(noNewPrivileges, '1', name);
      assert.equal(permitted & ~maskOf([...toLoad, 'SETUID']), 0n, name);
    }
  });
  child.stdin.end(elf);
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});

test('an object that takes too long to load is given up', async () => {
  await assert.rejects(
    tryObject('slow', elf, 1),
    /^Error: object slow was given up: loading it took more than 0.001 s, or than the memory limit of the container leaves$/,
  );
});
