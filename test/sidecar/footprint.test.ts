import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { shrinkFootprint, untouchedCode } from '../../sidecar/footprint.ts';

const area = (range: string, flags: string, path: string, anonymous: number) => `\
${range} ${flags} 00000000 fe:00 131                              ${path}
Size:               1024 kB
Rss:                1024 kB
Anonymous:          ${String(anonymous).padStart(8)} kB
VmFlags: rd ex mr mw me
`;

test('only what nobody has written in the executable is given back', () => {
  const smaps = [
    area('00400000-00500000', 'r--p', '/usr/bin/node', 0),
    area('00500000-00700000', 'r-xp', '/usr/bin/node', 0),
    area('00700000-00800000', 'r-xp', '/usr/bin/node', 4),
    area('00800000-00900000', 'r--p', '/usr/bin/node', 16),
    area('00900000-00a00000', 'rw-p', '/usr/bin/node', 0),
    area('7f0000000000-7f0000100000', 'r-xp', '/usr/lib/libbpf.so.1', 0),
    area('7f1000000000-7f1000100000', 'r--p', '', 0),
  ].join('');
  assert.deepEqual(untouchedCode(smaps, '/usr/bin/node'), [
    { start: 0x400000, length: 0x100000 },
    { start: 0x500000, length: 0x200000 },
  ]);
});

test('memory shrinks, and the process goes on', () => {
  // Text of Node that this test needs no more, such as the compiler's for the files above.
  const before = resident();
  shrinkFootprint();
  const after = resident();
  assert.ok(after < before - 10_000, `${before} kB before, ${after} kB after`);
  assert.equal(JSON.parse('[1, "two"]')[1], 'two');
});

function resident(): number {
  return Number(/^Rss: +(\d+) kB$/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))?.[1]);
}
