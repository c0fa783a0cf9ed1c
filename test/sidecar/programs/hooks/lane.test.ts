import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closeObject, loadObject, openObject, programFd } from '../../../../sidecar/libbpf/object.ts';
import { readObject } from '../../../../sidecar/objects.ts';
import { holdDispatcher } from '../../../../sidecar/programs/hooks/hooks.ts';
import {
  addEntry,
  hasRoom,
  type Lane,
  readEntries,
  removeEntries,
} from '../../../../sidecar/programs/hooks/lane.ts';

const pod = (id: bigint) => ({ path: '/', level: 3, id, sidecar: id + 1n });

/** Of the 64 bits of an id the place in the table is decided by 12 of the product with a constant. */
const placeOf = (id: bigint) => BigInt.asUintN(64, id * 0x9e3779b97f4a7c15n) >> 52n;

test('a lane takes pods until the places for them are taken, and again when one of them has gone', (t) => {
  const object = openObject('task', readObject('dispatchers/task'));
  loadObject(object);
  t.after(() => closeObject(object));
  const lane = holdDispatcher(object, { close: () => {} }).maps as Lane;
  const program = programFd(object.programs[0]!);

  const rivals: bigint[] = [];
  for (let id = 1n; rivals.length < 5; id++) if (placeOf(id) === 7n) rivals.push(id);
  const [fifth, ...four] = rivals.toReversed() as [bigint, ...bigint[]];
  for (const id of four) {
    assert.ok(hasRoom(lane, pod(id)));
    addEntry(lane, pod(id), program);
    assert.ok(!hasRoom(lane, pod(id)), 'it is in the lane');
  }
  assert.deepEqual(
    readEntries(lane)
      .map(({ id, level }) => [id, level])
      .sort(),
    four.map((id) => [id, 3]).sort(),
  );
  assert.equal(new Set(readEntries(lane).map(({ slot }) => slot)).size, 4);

  assert.ok(!hasRoom(lane, pod(fifth)));
  assert.throws(() => addEntry(lane, pod(fifth), program), {
    message: "the node's dispatcher on this hook has no room for another pod",
  });
  assert.equal(
    removeEntries(lane, ({ id }) => id === four[1]),
    3,
  );
  addEntry(lane, pod(fifth), program);
  assert.ok(readEntries(lane).some(({ id }) => id === fifth));
  assert.equal(
    removeEntries(lane, () => true),
    0,
  );
});
