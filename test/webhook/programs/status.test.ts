import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BpfStatus, fallen, nextStatus, type Told } from '../../../webhook/programs/status.ts';

const program = { name: 'test', object: { kind: 'ConfigMap', name: 'packets', key: 'o' } } as const;
const available = { status: 'True', reason: 'Available', message: 'all that it names is there' } as const;
const missing = { status: 'False', reason: 'ConfigMapMissing', message: 'there is no ConfigMap' } as const;
const loaded = { status: 'Unknown', reason: 'NoPods', message: 'no pod runs it' } as const;
const told: Told = { generation: 1, program, off: undefined, pods: 0, available, loaded };
const at = (time: string) => new Date(`2026-01-01T${time}.123Z`);

const first = nextStatus({}, told, at('10:00:00'))!;

test('the first status tells everything', () => {
  const more = { observedGeneration: 1, lastTransitionTime: '2026-01-01T10:00:00Z' };
  assert.deepEqual(first, {
    observedGeneration: 1,
    pods: 0,
    conditions: [
      {
        type: 'Accepted',
        status: 'True',
        reason: 'Valid',
        message: 'pods of the namespace can have it',
        ...more,
      },
      { type: 'Available', ...available, ...more },
      { type: 'Loaded', ...loaded, ...more },
    ],
  });
});

test('nothing is written when it tells the same', () => {
  assert.equal(nextStatus(first, told, at('11:00:00')), undefined);
});

test('each difference is written', () => {
  const different = (change: Partial<Told>) => nextStatus(first, { ...told, ...change }, at('11:00:00'));
  assert.equal(different({ pods: 3 })?.pods, 3);
  assert.equal(different({ generation: 2 })?.observedGeneration, 2);
  assert.equal(different({ available: { ...available, message: 'x' } })?.conditions?.[1]?.message, 'x');
});

test('the time of a condition is that of its last transition', () => {
  const times = (status: BpfStatus | undefined) =>
    status?.conditions?.map(({ lastTransitionTime }) => lastTransitionTime?.slice(11, 16));
  const second = nextStatus(first, { ...told, available: missing }, at('11:00:00'));
  assert.deepEqual(times(second), ['10:00', '11:00', '10:00']);
  const third = nextStatus(second!, { ...told, available: { ...missing, message: 'other' } }, at('12:00:00'));
  assert.deepEqual(times(third), ['10:00', '11:00', '10:00']);
});

test('a resource that cannot be used says why, and nothing of what it names', () => {
  const { available: _, loaded: __, ...rest } = told;
  const of = (change: Partial<Told>) =>
    nextStatus(first, { ...rest, ...change }, at('11:00:00'))?.conditions?.map(
      ({ type, status, reason, message }) => [type, status, reason, message],
    );
  assert.deepEqual(of({ off: 'not allowed here' }), [
    ['Accepted', 'False', 'NotAllowed', 'not allowed here'],
  ]);
  assert.deepEqual(of({ program: { invalid: 'spec: must be a mapping' } }), [
    ['Accepted', 'False', 'Invalid', 'spec: must be a mapping'],
  ]);
});

test('what has become false is told once', () => {
  const second = nextStatus(first, { ...told, available: missing }, at('11:00:00'))!;
  assert.deepEqual(
    fallen(first, second).map(({ type }) => type),
    ['Available'],
  );
  const third = nextStatus(second, { ...told, pods: 1, available: missing }, at('12:00:00'))!;
  assert.deepEqual(fallen(second, third), []);
});
