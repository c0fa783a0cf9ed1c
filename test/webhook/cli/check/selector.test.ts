import assert from 'node:assert/strict';
import { test } from 'node:test';
import { selects } from '../../../../webhook/cli/check/selector.ts';

const of = (key: string, operator: string, ...values: string[]) => ({
  matchExpressions: [{ key, operator, ...(values.length > 0 && { values }) }],
});

for (const [selector, labels, expected] of [
  [{}, {}, true],
  [{ matchLabels: { a: '1' } }, { a: '1', b: '2' }, true],
  [{ matchLabels: { a: '1', b: '1' } }, { a: '1', b: '2' }, false],
  [of('a', 'In', '1', '2'), { a: '2' }, true],
  [of('a', 'In', '1'), {}, false],
  [of('a', 'NotIn', '1'), {}, true],
  [of('a', 'NotIn', '1'), { a: '1' }, false],
  [of('a', 'Exists'), { a: '' }, true],
  [of('a', 'Exists'), {}, false],
  [of('a', 'DoesNotExist'), {}, true],
  [of('a', 'DoesNotExist'), { a: '' }, false],
] as const)
  test(`${JSON.stringify(selector)} ${expected ? 'selects' : 'leaves out'} ${JSON.stringify(labels)}`, () =>
    assert.equal(selects(selector as object, labels), expected));
