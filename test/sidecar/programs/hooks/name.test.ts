import assert from 'node:assert/strict';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { directoryName } from '../../../../sidecar/programs/hooks/name.ts';
import { bpffsFor } from '../../../support/bpffs.ts';

test('a hook is told from every other one by the name of its directory, which a bpffs takes', (t) => {
  const bpffs = bpffsFor(t);
  const long = 'x'.repeat(300);
  const hooks = [
    'tp_btf/sys_enter/task',
    'tp_btf/sys_enter-task',
    'tp_btf-sys_enter/task',
    ...['place_*', 'place_?', 'place_??', 'place_-', 'place_', 'place_=2a', 'place_=', 'place_==', 'place_é'],
    ...['kprobe.multi/a.b', 'kprobe.multi/a*b', 'kprobe-multi/a.b', 'kprobe/multi/a.b'],
    ...[long, `${long}?`, `${long}*`, '?'.repeat(100), '*'.repeat(100)],
  ];
  for (const hook of hooks) mkdirSync(join(bpffs, directoryName(hook)));
  assert.equal(readdirSync(bpffs).filter((name) => !name.endsWith('.debug')).length, hooks.length);
  assert.equal(directoryName('tp_btf/sys_enter/task'), 'tp_btf-sys_enter-task');
  assert.equal(
    directoryName('uprobe.multi/place_*/64768-12/task'),
    'uprobe=2emulti-place_=2a-64768=2d12-task',
  );
  for (const hook of hooks) assert.match(directoryName(hook), /^[A-Za-z0-9_=-]{1,255}$/);
});

test('every byte that a name may not have can be read back from it', () => {
  const hook = String.fromCharCode(
    ...Array.from({ length: 94 }, (_, i) => i + 33).filter((code) => code !== 0x2f),
  );
  const decoded = directoryName(`${hook.slice(0, 46)}/${hook.slice(46)}`)
    .replace('-', '/')
    .replace(/=([0-9a-f]{2})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 16)));
  assert.equal(decoded, `${hook.slice(0, 46)}/${hook.slice(46)}`);
});
