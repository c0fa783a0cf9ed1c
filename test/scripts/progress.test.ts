import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { lineOf } from '../../scripts/progress.ts';

const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-test-'));
after(() => rmSync(directory, { recursive: true }));

const progress = JSON.stringify(join(import.meta.dirname, '../../scripts/progress.ts'));
const script = join(directory, 'script.mjs');
/** Work that tells how far it is, has work in it, prints what it is for, and does not end before it was drawn again by time. */
writeFileSync(
  script,
  `
import { at, note, say, step, waiting } from ${progress};
await step('Outer', async () => {
  await step('Inner', () => note('inside'), { doing: 'making', done: 'made' });
  say('data', process.stdout);
  at(1, 4, 'parts');
  if (process.stderr.isTTY) {
    const { write } = process.stderr;
    const alive = setInterval(() => {}, 1000);
    await new Promise((resolve) => {
      process.stderr.write = (text) => {
        if (text.includes('... 1 s')) resolve();
        return write.call(process.stderr, text);
      };
    });
    clearInterval(alive);
  }
});
await waiting('Unsaid', () => {});
await step('Wrong', () => Promise.reject(new Error())).catch(() => {});
`,
);

/** Clears what is right of the cursor. */
const clearRest = '\x1b[K';

/** Numbers of seconds differ. */
function alike(text: string): string {
  return text.replace(/\d+\.\d s/g, 'N s');
}

test('where there is no terminal a step is a line at its begin and one at its end, and stdout has nothing but data', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.equal(stdout, 'data\n');
  assert.deepEqual(alike(stderr).split('\n'), [
    'Outer ...',
    'Inner: making ...',
    'Inner: made in N s',
    'Outer: done in N s',
    'Wrong ...',
    'Wrong: failed after N s',
    '',
  ]);
});

test('on a terminal a line is drawn again while a step lasts, and what stays is a line at its end', () => {
  const command = `${process.execPath} ${script}`;
  const { status, stdout } = spawnSync('script', ['-qec', command, '/dev/null'], { encoding: 'utf8' });
  assert.equal(status, 0, stdout);
  const text = alike(stdout);
  for (const line of [
    'Outer ... 0 s',
    'Inner: making ... 0 s',
    'Outer ... 1 s, 1 of 4 parts',
    'Unsaid ... 0 s',
  ])
    assert.ok(text.includes(`\r${line}${clearRest}`), `${line} in ${JSON.stringify(text)}`);
  assert.deepEqual(screenOf(text), [
    'Inner: made in N s',
    'data',
    'Outer: done in N s',
    'Wrong: failed after N s',
  ]);
});

/** The lines that are there at the end. */
function screenOf(text: string): string[] {
  return text
    .split('\r\n')
    .map((line) => line.replaceAll(clearRest, '').split('\r').at(-1)!)
    .filter(Boolean);
}

test('what is left is told as long as there is some, and a line is never wider than the terminal', () => {
  const step = { what: 'Scrape', where: () => '25 of 100', total: 40 };
  assert.equal(lineOf({ what: 'Scrape' }, 7.9, 80), 'Scrape ... 7 s');
  assert.equal(lineOf(step, 1, 80), 'Scrape ... 1 s, 25 of 100');
  assert.equal(lineOf(step, 10, 80), 'Scrape ... 10 s, 25 of 100, about 30 s left');
  assert.equal(lineOf({ ...step, total: 400 }, 100, 80), 'Scrape ... 100 s, 25 of 100, about 5 min left');
  assert.equal(lineOf(step, 10, 20), 'Scrape ... 10 s, 2…');
  assert.equal(lineOf(step, 41, 80), 'Scrape ... 41 s, 25 of 100');
});
