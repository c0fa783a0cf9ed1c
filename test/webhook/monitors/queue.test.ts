import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { test } from 'node:test';
import { createQueue, type QueueOptions } from '../../../webhook/monitors/queue.ts';

/** A queue whose work ends when it is told to; `begun` is what has been worked on. */
function controlled(options: Partial<QueueOptions> = {}) {
  const begun: string[] = [];
  const errors: string[] = [];
  const events = new EventEmitter();
  const ends = new Map<string, PromiseWithResolvers<void>>();
  const queue = createQueue({
    async work(key) {
      begun.push(key);
      const end = Promise.withResolvers<void>();
      ends.set(key, end);
      events.emit('begun');
      await end.promise;
    },
    onError: (key, { message }) => errors.push(`${key}: ${message}`),
    concurrency: 2,
    patience: { first: 1, most: 1 },
    ...options,
  });
  const until = async (count: number) => {
    while (begun.length < count) await once(events, 'begun');
  };
  return { queue, begun, errors, until, end: (key: string) => ends.get(key)! };
}

test('no more keys are worked on at once than allowed, and none twice', async () => {
  const { queue, begun, until, end } = controlled();
  for (const key of ['a', 'b', 'c', 'a', 'c']) queue.add(key);
  await until(2);
  assert.deepEqual(begun, ['a', 'b']);
  assert.equal(queue.size, 3);
  end('b').resolve();
  await until(3);
  assert.deepEqual(begun, ['a', 'b', 'c']);
  end('c').resolve();
  end('a').resolve();
  queue.stop();
});

test('a key that is added while it is worked on is worked on again', async () => {
  const { queue, begun, until, end } = controlled();
  queue.add('a');
  await until(1);
  queue.add('a');
  assert.deepEqual(begun, ['a']);
  end('a').resolve();
  await until(2);
  assert.deepEqual(begun, ['a', 'a']);
  end('a').resolve();
  queue.stop();
});

test('a key waits for its time, and no longer when it is wanted earlier', async () => {
  const { queue, begun, until, end } = controlled();
  queue.add('late', 3_600_000);
  queue.add('later', 3_600_000);
  assert.equal(queue.size, 2);
  queue.add('late', 1);
  queue.add('late', 3_600_000);
  await until(1);
  assert.deepEqual(begun, ['late']);
  end('late').resolve();
  queue.stop();
});

test('a key that fails is worked on again', async () => {
  const { queue, errors, until, end } = controlled();
  queue.add('a');
  await until(1);
  end('a').reject(new Error('refused'));
  await until(2);
  assert.deepEqual(errors, ['a: refused']);
  end('a').resolve();
  queue.stop();
});

test('nothing is begun once it is stopped', async () => {
  const { queue, begun, until, end } = controlled({ concurrency: 1 });
  queue.add('a');
  queue.add('b');
  await until(1);
  queue.stop();
  queue.add('c');
  end('a').resolve();
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  assert.deepEqual(begun, ['a']);
  assert.equal(queue.size, 0);
});
