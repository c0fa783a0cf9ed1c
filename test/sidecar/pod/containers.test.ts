import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { cgroupId } from '../../../sidecar/pod/cgroups.ts';
import { containerIdOf, containerNames, createContainers, nameIn } from '../../../sidecar/pod/containers.ts';

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

test('a link whose name kubelet had to cut still tells the container', () => {
  const long = { namespace: 's'.repeat(63), pod: 'p'.repeat(63) };
  /** As logSymlink in kubelet's pkg/kubelet/kuberuntime/legacy.go makes it. */
  const linkOf = (pod: string, container: string, containerId: string) =>
    `${`${pod}_${long.namespace}_${container}-${containerId}`.slice(0, 255 - '.log'.length)}.log`;
  const container = 'web-'.repeat(15);
  const ofAnother = linkOf(long.pod, `${container}b`, id('b'));
  const names = containerNames([linkOf(long.pod, `${container}a`, id('a')), ofAnother], long);
  assert.ok(!names.has(id('a')), 'it was cut');
  assert.equal(nameIn(names, id('a')), `${container}a`);
  assert.equal(nameIn(names, id('b')), `${container}b`);
  assert.equal(nameIn(names, id('c')), undefined);

  // Of a longer name too little is left of the id, or nothing, and then the end of the container's name.
  for (const length of [117, 122, 123])
    assert.equal(
      containerNames([linkOf('p'.repeat(length), `${container}abc`, id('a'))], {
        ...long,
        pod: 'p'.repeat(length),
      }).size,
      0,
    );
});

test('a container that is there keeps its name, however many have gone and however many there are', () => {
  const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-test-'));
  after(() => rmSync(directory, { recursive: true }));
  const [pod, logs] = [join(directory, 'pod'), join(directory, 'logs')];
  const web = join(pod, id('a'));
  for (const path of [web, logs]) mkdirSync(path, { recursive: true });
  symlinkSync('/nowhere', join(logs, `cart-7d_shop_web-${id('a')}.log`));
  const containers = createContainers(pod, logs, identity);
  const webId = cgroupId(web);
  containers.refresh();
  const jobs = Array.from({ length: 4200 }, (_, index) => join(pod, `job-${index}`));
  for (const job of jobs) mkdirSync(job);
  containers.refresh();
  const [first, last] = [cgroupId(jobs[0]!), cgroupId(jobs.at(-1)!)];
  assert.equal(containers.nameOf(webId), 'web');
  assert.equal(containers.nameOf(first), 'job-0');
  for (const job of jobs) rmdirSync(job);
  containers.refresh();
  assert.equal(containers.nameOf(webId), 'web');
  assert.ok(!containers.isGone(webId));
  assert.equal(containers.nameOf(first), '', 'of those that have gone the oldest are forgotten');
  assert.equal(containers.nameOf(last), 'job-4199');
});

test('a cgroup that a container has made anew is one of its own', () => {
  const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-test-'));
  after(() => rmSync(directory, { recursive: true }));
  const nested = join(directory, id('a'), 'nested');
  mkdirSync(nested, { recursive: true });
  const containers = createContainers(directory, join(directory, 'logs'), identity);
  containers.refresh();
  const old = cgroupId(nested);
  // The file system may give its inode number to the next one.
  renameSync(nested, join(directory, 'elsewhere'));
  mkdirSync(nested);
  containers.refresh();
  assert.equal(containers.nameOf(cgroupId(nested)), 'aaaaaaaaaaaa');
  assert.ok(!containers.isGone(cgroupId(nested)));
  rmdirSync(join(directory, 'elsewhere'));
  assert.ok(containers.refresh());
  assert.ok(containers.isGone(old));
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
