import assert from 'node:assert/strict';
import { test } from 'node:test';
import { billOf, type Contents, readPackages } from '../../scripts/image/bill.ts';

const contents: Contents = {
  distro: 'debian-12',
  architecture: 'amd64',
  debian: readPackages('libbpf1 1:1.1.2-0+deb12u1\nlibc6 2.36-9+deb12u13\n'),
  npm: [{ name: '@kubernetes/client-node', version: '2.0.1' }],
  node: { node: '24.21.0', openssl: '3.5.4', modules: '137' },
};

test('a bill of materials names what scanners look up: packages of Debian, Node and what is in it, packages of npm', () => {
  const bill = billOf({ name: 'bpf-sidecar', version: '0.1.0' }, contents) as {
    components: { name: string; purl: string }[];
  };
  assert.deepEqual(
    bill.components.map(({ purl }) => purl),
    [
      'pkg:deb/debian/libbpf1@1%3A1.1.2-0%2Bdeb12u1?arch=amd64&distro=debian-12',
      'pkg:deb/debian/libc6@2.36-9%2Bdeb12u13?arch=amd64&distro=debian-12',
      'pkg:generic/node@24.21.0',
      'pkg:generic/openssl@3.5.4',
      'pkg:npm/%40kubernetes/client-node@2.0.1',
    ],
  );
});
