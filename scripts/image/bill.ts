/**
 * Writes an image's bill of materials, in the format CycloneDX: node bill.ts NAME VERSION ROOT NPM_PACKAGES. What gather.sh has
 * listed of Debian's packages is in ROOT. It runs where the image is built, by the Node of the image, and so needs no package.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Package {
  name: string;
  version: string;
}

/** What there may be reports of vulnerabilities about. */
export interface Contents {
  /** Release of Debian, such as `debian-12`, and architecture, such as `amd64`. */
  distro: string;
  architecture: string;
  debian: readonly Package[];
  npm: readonly Package[];
  /** Node, and what it has of others in itself, such as OpenSSL: process.versions. */
  node: Readonly<Record<string, string | undefined>>;
}

/** See https://cyclonedx.org/docs/1.6/json/ and https://github.com/package-url/purl-spec. Pure, and the same for the same contents. */
export function billOf(image: Package, { distro, architecture, debian, npm, node }: Contents): object {
  const { node: own, modules: _, ...embedded } = node;
  const url = (type: string, { name, version }: Package, query = '') =>
    `pkg:${type}/${name.split('/').map(encodeURIComponent).join('/')}@${encodeURIComponent(version)}${query}`;
  const component = (type: string, one: Package, query?: string) => {
    const purl = url(type, one, query);
    return { type: 'library', 'bom-ref': purl, ...one, purl };
  };
  const generic = Object.entries({ node: own, ...embedded }).flatMap(([name, version]) =>
    version === undefined ? [] : [component('generic', { name, version })],
  );
  const purl = url('oci', image);
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: { component: { type: 'container', 'bom-ref': purl, ...image, purl } },
    components: [
      ...debian.map((one) => component('deb/debian', one, `?arch=${architecture}&distro=${distro}`)),
      ...generic,
      ...npm.map((one) => component('npm', one)),
    ],
  };
}

/** Lines of a name and a version. */
export function readPackages(list: string): Package[] {
  return list
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [name = '', version = ''] = line.split(' ');
      return { name, version };
    });
}

const folder = 'usr/share/bpf-sidecar';

function main([name = '', version = '', root = '', npmPackages = '']: readonly string[]): void {
  const release = readFileSync('/etc/os-release', 'utf8');
  const field = (key: string) => new RegExp(`^${key}="?([^"\n]*)"?$`, 'm').exec(release)?.[1] ?? '';
  const bill = billOf(
    { name, version },
    {
      distro: `${field('ID')}-${field('VERSION_ID')}`,
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      debian: readPackages(readFileSync(join(root, folder, 'packages'), 'utf8')),
      npm: JSON.parse(readFileSync(npmPackages, 'utf8')),
      node: process.versions,
    },
  );
  writeFileSync(join(root, folder, 'bill-of-materials.cdx.json'), `${JSON.stringify(bill, null, 2)}\n`);
}

if (import.meta.main) main(process.argv.slice(2));
