import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describePatch } from '../../../scripts/demo/patch.ts';

const container = {
  name: 'bpf-sidecar',
  image: 'bpf-sidecar:1',
  restartPolicy: 'Always',
  securityContext: { privileged: true },
  ports: [{ containerPort: 9387 }],
};

test('a patch is told in a line for each part it adds', () => {
  assert.deepEqual(
    describePatch([
      { op: 'add', path: '/spec/initContainers', value: [container] },
      { op: 'add', path: '/spec/volumes/-', value: { name: 'cgroup', hostPath: { path: '/sys/fs/cgroup' } } },
      { op: 'add', path: '/metadata/annotations/bpf.sh~1status', value: '{}' },
      { op: 'add', path: '/metadata/labels', value: { 'bpf.sh/injected': 'true' } },
    ]),
    [
      '+ container   bpf-sidecar: native sidecar, privileged, port 9387, image bpf-sidecar:1',
      "+ volume      cgroup: the node's /sys/fs/cgroup",
      '+ annotation  bpf.sh/status: {}',
      '+ label       bpf.sh/injected: true',
    ],
  );
});
