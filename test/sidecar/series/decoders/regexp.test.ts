import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DecoderSpec } from '../../../../sidecar/contract/label-spec.ts';
import { decode } from './decode.ts';

const regexp: DecoderSpec = { name: 'regexp', regexps: ['^systemd-', '^node$'] };
const hex = (text: string) => Buffer.from(`${text}\0`).toString('hex');

test('regexp keeps text that matches any expression and drops the rest', () => {
  assert.equal(decode(hex('systemd-journal'), 'string', regexp), 'systemd-journal');
  assert.equal(decode(hex('node'), 'string', regexp), 'node');
  assert.equal(decode(hex('nodejs'), 'string', regexp), undefined);
});

test('decoders after one that drops are not asked', () => {
  assert.equal(decode(hex('bash'), 'string', regexp, 'uint'), undefined);
});

test('an expression that would keep other engines busy for years takes no time', () => {
  const evil: DecoderSpec = { name: 'regexp', regexps: ['^(a+)+$'] };
  assert.equal(decode(hex(`${'a'.repeat(120)}!`), 'string', evil), undefined);
});
