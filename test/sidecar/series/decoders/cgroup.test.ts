import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCgroup } from '../../../../sidecar/series/decoders/cgroup.ts';
import { decode } from './decode.ts';

test('cgroup names the container, from bytes and after uint, with all 64 bits of the id', () => {
  assert.equal(decode('0c00000000000000', 'cgroup'), 'container-12');
  assert.equal(decode('0c00000000000000', 'uint', 'cgroup'), 'container-12');
  assert.equal(decode('ffffffffffffffff', 'cgroup'), 'container-18446744073709551615');
});

test('cgroup drops containers that are not wanted', () => {
  assert.equal(decode('0d00000000000000', 'cgroup'), undefined);
});

test('cgroup finds the container by the low half of an id', () => {
  const high = 7n << 32n;
  const name = createCgroup(
    { name: 'cgroup', lowBits: true },
    {
      containerName: (id) => (id === high + 12n ? 'web' : `no container ${id}`),
      wantsContainer: () => true,
      containerCgroups: () => [
        { id: 5n, path: '/pod/5', name: 'client' },
        { id: high + 12n, path: '/pod/12', name: 'web' },
      ],
      generation: () => 0,
    },
  );
  assert.equal(name(Buffer.from('0c000000', 'hex')), 'web');
  assert.equal(name('12'), 'web');
  assert.equal(name('13'), 'no container 13');
});
