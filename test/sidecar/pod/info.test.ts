import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePodInfo } from '../../../sidecar/pod/info.ts';

test('the downward API file gives back what was quoted as Go quotes', () => {
  const file = [
    'bpf.sh/inject="true"',
    'bpf.sh/probes="network,tcp"',
    'note="a \\"quoted\\" word, a \\\\ and a\\nnew line"',
    'bytes="\\x00\\x1b[0m\\u200b\\U0001f600"',
    'json="{\\"a\\":\\"b=\\\\\\"c\\\\\\"\\"}"',
    'plain="grün =\\"x\\""',
    'empty=""',
  ].join('\n');
  assert.deepEqual(parsePodInfo(file), {
    'bpf.sh/inject': 'true',
    'bpf.sh/probes': 'network,tcp',
    note: 'a "quoted" word, a \\ and a\nnew line',
    bytes: '\x00\x1b[0m\u200b\u{1f600}',
    json: '{"a":"b=\\"c\\""}',
    plain: 'grün ="x"',
    empty: '',
  });
  assert.deepEqual(parsePodInfo(''), {});
});
