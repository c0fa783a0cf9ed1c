import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type Arch, compileObject } from '../../../scripts/bpf/compile.ts';
import { appImage } from '../../support/app.ts';
import {
  apply,
  createNamespace,
  get,
  install,
  inTime,
  kubectl,
  metrics,
  sample,
  skipped,
} from '../../support/node.ts';
import type { Raw } from '../../webhook/fixtures.ts';

const examples = join(import.meta.dirname, '../../../examples/kube-bpf');

describe('on a node', skipped, () => {
  test("a user's own program counts, and its resource says that a sidecar has loaded it", async (t) => {
    const namespace = await createNamespace();
    await install({ 'programs.allowedNamespaces[0]': namespace });
    const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-test-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const object = join(directory, 'writes.bpf.o');
    await compileObject(join(examples, 'writes.bpf.c'), object, process.arch as Arch);

    const inNamespace = ['--namespace', namespace];
    const files = [object, join(examples, 'writes.metrics.yaml')].map((file) => `--from-file=${file}`);
    await kubectl('create', 'configmap', ...inNamespace, 'writes', ...files);
    await kubectl('apply', ...inNamespace, '-f', join(examples, 'writes.yaml'));
    // A replica that has not read the resource yet would create the pod without its sidecar.
    const status = async () => {
      const { status } = await get(`/apis/bpf.sh/v1alpha1/namespaces/${namespace}/bpfs/writes`);
      return {
        pods: status?.pods,
        conditions: (status?.conditions ?? []).map(({ type, status }: Raw) => `${type} ${status}`),
      };
    };
    const conditions = ['Accepted True', 'Available True'];
    await inTime(async () =>
      assert.deepEqual(await status(), { pods: 0, conditions: [...conditions, 'Loaded Unknown'] }),
    );

    await apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: 'web',
        namespace,
        annotations: { 'bpf.sh/inject': 'true', 'bpf.sh/probes': 'process', 'bpf.sh/programs': 'writes' },
      },
      spec: {
        terminationGracePeriodSeconds: 5,
        containers: [{ name: 'app', image: appImage, args: ['wait'] }],
      },
    });
    await kubectl('wait', ...inNamespace, '--for=condition=Ready', '--timeout=120s', 'pod/web');
    const say = ['exec', ...inNamespace, 'web', '-c', 'app', '--', '/program', 'say'];
    await kubectl(...say, 'hello');
    await kubectl(...say, 'everybody');
    const text = await metrics(namespace, 'web');
    const labels = { namespace, pod: 'web', node: 'node-1', container: 'app', command: 'program' };
    assert.equal(sample(text, 'demo_writes_total', labels), 2);
    assert.equal(sample(text, 'demo_written_bytes_total', labels), 'hello\neverybody\n'.length);
    assert.equal(sample(text, 'demo_writes_total', { command: 'node' }), undefined, "none of the sidecar's");

    await inTime(async () =>
      assert.deepEqual(await status(), { pods: 1, conditions: [...conditions, 'Loaded True'] }),
    );
  });
});
