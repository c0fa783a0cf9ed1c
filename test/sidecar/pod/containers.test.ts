import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { cgroupId } from '../../../sidecar/pod/cgroups.ts';
import { containerIdOf, containerNames, createContainers } from '../../../sidecar/pod/containers.ts';

const identity = { namespace: 'shop', pod: 'cart-7d', uid: 'u', node: 'n' };
const id = (digit: string) => digit.repeat(64);

test('a container id is found in the cgroup names of every runtime', () => {
  for (const name of [
    id('a'),
    `cri-containerd-${id('a')}.scope`,
    `crio-${id('a')}.scope`,
    `docker-${id('a')}.scope`,
  ])
    assert.equal(containerIdOf(name), id('a'));
  assert.equal(containerIdOf('init.scope'), 'init.scope');
});

test("names come from this pod's links alone", () => {
  const links = [
    `cart-7d_shop_web-${id('a')}.log`,
    `cart-7d_shop_side-car-${id('b')}.log`,
    `cart-7d_shopping_web-${id('c')}.log`,
    `cart-7d8_shop_web-${id('d')}.log`,
    'cart-7d_shop_web.log',
  ];
  assert.deepEqual(
    [...containerNames(links, identity)],
    [
      [id('a'), 'web'],
      [id('b'), 'side-car'],
    ],
  );
});

test('a container is named as soon as kubelet tells its name, and stays named after it is gone', () => {
  const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-test-'));
  after(() => rmSync(directory, { recursive: true }));
  const [pod, logs] = [join(directory, 'pod'), join(directory, 'logs')];
  const web = join(pod, id('a'));
  mkdirSync(join(web, 'nested'), { recursive: true });
  mkdirSync(logs);
  const containers = createContainers(pod, logs, identity);
  const [webId, nestedId] = [cgroupId(web), cgroupId(join(web, 'nested'))];

  assert.equal(containers.nameOf(webId), '');
  containers.refresh();
  assert.equal(containers.nameOf(webId), 'aaaaaaaaaaaa');
  const before = containers.generation();

  symlinkSync('/nowhere', join(logs, `cart-7d_shop_web-${id('a')}.log`));
  containers.refresh();
  assert.equal(containers.nameOf(webId), 'web');
  assert.equal(containers.nameOf(nestedId), 'web');
  assert.notEqual(containers.generation(), before);

  const settled = containers.generation();
  rmSync(web, { recursive: true });
  containers.refresh();
  assert.equal(containers.nameOf(webId), 'web');
  assert.equal(containers.generation(), settled);
  assert.equal(containers.nameOf(cgroupId(pod)), '');
});
