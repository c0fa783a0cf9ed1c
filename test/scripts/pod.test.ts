import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { V1Pod } from '@kubernetes/client-node';
import { type RunningPod, startPod } from '../../scripts/node/pod.ts';
import { createSandbox, type Sandbox } from '../../scripts/node/sandbox.ts';

const images = {
  'shell:1': { entrypoint: ['sh', '-c'] },
  'node:24': { entrypoint: [process.execPath, '-e'] },
};

async function sandbox(t: TestContext) {
  const made = await createSandbox({ namespace: 'shop', pod: 'web-1', node: 'node-7', network: true });
  t.after(() => made.destroy());
  return made;
}

const pod = (spec: V1Pod['spec'], annotations: Record<string, string> = {}): V1Pod => ({
  metadata: { labels: { app: 'web' }, annotations },
  spec: spec!,
});

test('a container has its environment, its volumes and its arguments', async (t) => {
  const made = await sandbox(t);
  const logs = join(made.volumes, 'logs-of-the-node');
  mkdirSync(logs);
  const field = (fieldPath: string) => ({ fieldRef: { fieldPath } });
  const running = await startPod(
    pod(
      {
        containers: [
          {
            name: 'web',
            image: 'shell:1',
            args: ['env; cat /etc/podinfo/annotations; ls -d /host/logs; echo kept > /cache/file'],
            env: [
              { name: 'PLAIN', value: 'a b' },
              { name: 'WHO', valueFrom: field('metadata.name') },
              { name: 'WHERE', valueFrom: field('spec.nodeName') },
              { name: 'UID', valueFrom: field('metadata.uid') },
              { name: 'IP', valueFrom: field('status.podIP') },
              { name: 'APP', valueFrom: field("metadata.labels['app']") },
            ],
            volumeMounts: [
              { name: 'podinfo', mountPath: '/etc/podinfo', readOnly: true },
              { name: 'logs', mountPath: '/host/logs', readOnly: true },
              { name: 'cache', mountPath: '/cache' },
            ],
          },
        ],
        volumes: [
          {
            name: 'podinfo',
            downwardAPI: { items: [{ path: 'annotations', ...field('metadata.annotations') }] },
          },
          { name: 'logs', hostPath: { path: '/no/such/logs' } },
          { name: 'cache', emptyDir: {} },
        ],
      },
      { note: 'one' },
    ),
    made,
    { images, hostPaths: { '/no/such/logs': logs } },
  );
  const [web] = running.containers;
  assert.equal(await web!.ended, 'ended with exit code 0');
  const lines = web!.lastLines();
  for (const line of [
    'PLAIN=a b',
    'WHO=web-1',
    'WHERE=node-7',
    `UID=${made.uid}`,
    `IP=${made.address}`,
    'APP=web',
    'note="one"/host/logs',
  ])
    assert.ok(lines.includes(line), `${line} in ${lines.join('\n')}`);
  assert.equal(readFileSync(join(made.volumes, 'cache', 'file'), 'utf8'), 'kept\n');
  running.updateAnnotations({ note: 'two' });
  assert.equal(readFileSync(join(made.volumes, 'podinfo', 'annotations'), 'utf8'), 'note="two"');
});

test('a native sidecar has started, and an init container has ended, before the next one begins', async (t) => {
  const made = await sandbox(t);
  const volumeMounts = [{ name: 'shared', mountPath: '/shared' }];
  const running = await startPod(
    pod({
      initContainers: [
        {
          name: 'sidecar',
          image: 'node:24',
          restartPolicy: 'Always',
          args: [
            `require('http').createServer((request, response) => {
               require('fs').writeFileSync('/shared/probed', request.url);
               response.end();
             }).listen(9000)`,
          ],
          ports: [{ name: 'metrics', containerPort: 9000 }],
          startupProbe: {
            httpGet: { path: '/ready', port: 'metrics' },
            periodSeconds: 1,
            failureThreshold: 10,
          },
          volumeMounts,
        },
        { name: 'setup', image: 'shell:1', args: ['cat /shared/probed > /shared/setup'], volumeMounts },
      ],
      containers: [{ name: 'web', image: 'shell:1', args: ['cat /shared/setup'], volumeMounts }],
      volumes: [{ name: 'shared', emptyDir: {} }],
    }),
    made,
    { images },
  );
  const [sidecar, web] = running.containers;
  await web!.ended;
  assert.deepEqual(web!.lastLines(), ['/ready']);
  assert.equal(sidecar!.outcome(), undefined);
  await running.stop();
  assert.equal(sidecar!.outcome(), 'was ended by SIGTERM');
});

/** A pod of nothing but a sidecar whose startup probe never succeeds. */
function startSidecar(made: Sandbox, script: string, failureThreshold: number): Promise<RunningPod> {
  const startupProbe = { httpGet: { port: 9000 }, periodSeconds: 1, failureThreshold };
  const sidecar = {
    name: 'sidecar',
    image: 'shell:1',
    restartPolicy: 'Always',
    args: [script],
    startupProbe,
  };
  return startPod(pod({ initContainers: [sidecar], containers: [] }), made, { images });
}

test('a sidecar that ends before it has started is reported with its last words', async (t) => {
  await assert.rejects(
    startSidecar(await sandbox(t), 'echo no BTF here >&2; exit 3', 60),
    /^Error: container sidecar ended with exit code 3; it wrote:\n {4}no BTF here$/,
  );
});

test('a sidecar that never answers is given up after its threshold', async (t) => {
  await assert.rejects(
    startSidecar(await sandbox(t), 'exec sleep 1000', 1),
    /container sidecar did not start: its startup probe .* failed 1 times, at last with .*ECONNREFUSED/,
  );
});

for (const [what, spec, message] of [
  [
    'a volume that needs a cluster',
    { containers: [], volumes: [{ name: 'conf', configMap: { name: 'conf' } }] },
    /volume conf is of a kind that needs a cluster; a sandbox has downwardAPI, emptyDir, hostPath and projected/,
  ],
  [
    'an image that is not here',
    { containers: [{ name: 'web', image: 'nginx:1' }] },
    /container web wants the image nginx:1; here are only shell:1, node:24/,
  ],
  [
    'a variable that needs a cluster',
    {
      containers: [
        {
          name: 'web',
          image: 'shell:1',
          env: [{ name: 'KEY', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }],
        },
      ],
    },
    /container web: the variable KEY needs a cluster; a sandbox knows value and fieldRef/,
  ],
] as const satisfies [string, V1Pod['spec'], RegExp][])
  test(`${what} is refused in one sentence`, async (t) => {
    await assert.rejects(startPod(pod(spec), await sandbox(t), { images }), message);
  });
