import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createKstackId } from '../../../../sidecar/series/decoders/kstack-id.ts';

const stacks = new Map([
  [0, 'first'],
  [77, 'other'],
]);
const context = {
  containerName: String,
  wantsContainer: () => true,
  generation: () => 0,
  stacks: (map: string) => (id: number) => {
    assert.equal(map, 'stacks');
    const stack = stacks.get(id);
    return stack === undefined ? undefined : Buffer.from(stack);
  },
};

test('kstack_id reads the stack that its map has for a number', () => {
  const decode = createKstackId((stack) => `read ${stack}`)({ name: 'kstack_id', map: 'stacks' }, context);
  for (const [id, expected] of [
    [0, 'read first'],
    [77, 'read other'],
    [78, 'no stack'],
    [-14, 'no stack'],
  ] as const) {
    const key = Buffer.alloc(4);
    key.writeInt32LE(id);
    assert.equal(decode(key), expected);
  }
});
