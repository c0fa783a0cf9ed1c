import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { run } from './executable.ts';

test('help names every command, and every command of the webhook half has its own', async () => {
  const { code, stdout } = await run(['--help']);
  assert.equal(code, 0);
  for (const command of ['run', 'webhook', 'inject', 'uninject', 'check', 'top'])
    assert.match(stdout, new RegExp(`^ {2}${command} `, 'm'));
  for (const command of ['webhook', 'inject', 'uninject', 'check', 'top']) {
    const own = await run([command, '--help']);
    assert.equal(own.code, 0);
    assert.match(own.stdout, new RegExp(`^Usage: bpf-sidecar ${command} `));
    assert.match(own.stdout, /^Exit codes: /m);
  }
});

test('the version is that of the package', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
  assert.deepEqual(await run(['--version']), { code: 0, stdout: `${version}\n`, stderr: '' });
});

for (const [argv, problem] of [
  [[], 'a command is missing'],
  [['injct'], 'there is no command "injct"'],
  [['toString'], 'there is no command "toString"'],
] as const) {
  test(`bpf-sidecar ${argv.join(' ')}: one sentence and exit code 2`, async () => {
    assert.deepEqual(await run([...argv]), {
      code: 2,
      stdout: '',
      stderr: `bpf-sidecar: ${problem}; see bpf-sidecar --help\n`,
    });
  });
}
