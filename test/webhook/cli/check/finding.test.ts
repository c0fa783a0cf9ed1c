import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failed, line, ok, skipped, summary, warn } from '../../../../webhook/cli/check/finding.ts';

test('a finding is a line, whatever it quotes', () => {
  assert.equal(line(warn('pod a/b\n\x1b[2Jc')), 'warn   pod a/b??[2Jc');
  assert.equal(line(failed('gone')), 'FAILED gone');
});

test('the summary gives the worst and counts all', () => {
  assert.equal(summary([ok('a')]), 'bpf-sidecar: all is well (1 ok, 0 warn, 0 FAILED)');
  assert.equal(
    summary([ok('a'), warn('b'), skipped('c')]),
    'bpf-sidecar: works, with warnings (1 ok, 1 warn, 0 FAILED, 1 skip)',
  );
  assert.equal(summary([ok('a'), failed('b')]), 'bpf-sidecar: FAILED (1 ok, 0 warn, 1 FAILED)');
});
