import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cgroup2Mounts, isPodDirectory } from '../../../sidecar/pod/cgroups.ts';

const uid = '25775e16-8b98-4f80-8dbe-d07aaefa76ef';
const hybrid = `30 23 0:26 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
31 30 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:10 - cgroup2 cgroup2 rw,nsdelegate
32 30 0:28 / /sys/fs/cgroup/systemd rw shared:11 - cgroup cgroup rw,xattr,name=systemd
44 30 0:27 / /host/sys\\040fs/cgroup/unified ro - cgroup2 cgroup2 rw`;

test('cgroup v2 is found where it is mounted, unified or hybrid, and nothing of v1', () => {
  assert.deepEqual(cgroup2Mounts(hybrid), ['/sys/fs/cgroup/unified', '/host/sys fs/cgroup/unified']);
  assert.deepEqual(cgroup2Mounts('31 23 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup rw'), ['/sys/fs/cgroup']);
  assert.deepEqual(cgroup2Mounts('32 30 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu'), []);
});

test('a pod directory is known in both styles of kubelet, and by the whole uid', () => {
  assert.ok(isPodDirectory(`pod${uid}`, uid));
  assert.ok(isPodDirectory('kubepods-burstable-pod25775e16_8b98_4f80_8dbe_d07aaefa76ef.slice', uid));
  assert.ok(isPodDirectory('kubepods-pod25775e16_8b98_4f80_8dbe_d07aaefa76ef.slice', uid));
  assert.ok(!isPodDirectory(`pod${uid}-x`, uid));
  assert.ok(!isPodDirectory(`xpod${uid}`, uid));
  assert.ok(!isPodDirectory('kubepods-burstable.slice', uid));
});
