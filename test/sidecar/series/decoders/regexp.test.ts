import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DecoderSpec } from '../../../../sidecar/contract/label-spec.ts';
import { decode } from './decode.ts';

const hex = (text: string) => Buffer.from(`${text}\0`).toString('hex');

/** The first four are those of ebpf_exporter's own test. */
const table: [text: string, regexps: string[], value: string | undefined][] = [
  ['systemd-journal', ['^systemd-journal$', '^syslog-ng$'], 'systemd-journal'],
  ['syslog-ng', ['^systemd-journal$', '^syslog-ng$'], 'syslog-ng'],
  ['systemd-bananad', ['^systemd-journal$', '^syslog-ng$'], undefined],
  ['systemd-bananad', ['^(systemd).*$', '^syslog-ng$'], 'systemd'],
  ['kswapd0', ['^(kswapd).*$', '^.*$'], 'kswapd'],
  ['kworker/1:2', ['^(kswapd).*$', '^.*$'], 'kworker/1:2'],
  ['systemd-journal', ['stem'], 'stem'],
  ['systemd-journal', ['^(?:systemd)-(.*)$'], 'journal'],
  ['systemd-journal', ['^(systemd)-(.*)$'], undefined],
  ['systemd-journal', ['^(systemd)-(.*)$', 'd-j'], 'd-j'],
  ['bc', ['^(a)?b'], ''],
  ['', ['x*'], ''],
  ['na\u00efve \u{1f600}', ['^na.ve (.)$'], '\u{1f600}'],
];

for (const [text, regexps, value] of table)
  test(`regexp makes ${value} of "${text}" by ${regexps.join(' or ')}`, () => {
    assert.equal(decode(hex(text), 'string', { name: 'regexp', regexps }), value);
  });

test('decoders after one that drops are not asked', () => {
  assert.equal(decode(hex('bash'), 'string', { name: 'regexp', regexps: ['^node$'] }, 'uint'), undefined);
});

test('an expression that would keep other engines busy for years takes no time', () => {
  const evil: DecoderSpec = { name: 'regexp', regexps: ['^(a+)+$'] };
  assert.equal(decode(hex(`${'a'.repeat(120)}!`), 'string', evil), undefined);
});
