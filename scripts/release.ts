/**
 * `npm run release`: what a release consists of, in build/release/: the images with their bills of materials, the packed
 * chart, checksums. It publishes nothing.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { kubernetesTool } from './cluster/tools.ts';

const root = join(import.meta.dirname, '..');
const chart = join(root, 'charts/bpf-sidecar');
const [images, release] = [join(root, 'build/images'), join(root, 'build/release')];
const architecture = process.arch === 'x64' ? 'amd64' : process.arch;

function main(): void {
  const version = agreedVersion();
  rmSync(release, { recursive: true, force: true });
  mkdirSync(release, { recursive: true });
  execFileSync('npm', ['run', '--silent', 'images'], { cwd: root, stdio: 'inherit' });
  for (const [half, name] of [
    ['webhook', 'bpf-sidecar-webhook'],
    ['sidecar', 'bpf-sidecar'],
  ])
    for (const ending of ['tar', 'cdx.json'])
      copyFileSync(
        join(images, `${half}.${ending}`),
        join(release, `${name}-${version}-${architecture}.${ending}`),
      );
  execFileSync(kubernetesTool('helm'), ['package', chart, '--destination', release], { stdio: 'pipe' });
  const names = readdirSync(release).sort();
  writeFileSync(join(release, 'SHA256SUMS'), names.map((name) => `${checksum(name)}  ${name}\n`).join(''));
  for (const name of [...names, 'SHA256SUMS']) process.stdout.write(`build/release/${name}: ${size(name)}\n`);
}

/** Throws an Error where the places that name the version do not agree. */
function agreedVersion(): string {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const { version: chartVersion, appVersion } = parse(readFileSync(join(chart, 'Chart.yaml'), 'utf8'));
  for (const [place, other] of [
    ['version', chartVersion],
    ['appVersion', appVersion],
  ])
    if (other !== version)
      throw new Error(
        `charts/bpf-sidecar/Chart.yaml: ${place} is ${other} and package.json has ${version}; make them agree`,
      );
  const changes = readFileSync(join(root, 'CHANGELOG.md'), 'utf8');
  if (!changes.includes(`\n## ${version}`))
    throw new Error(`CHANGELOG.md: there is no heading "## ${version}"; say what has changed`);
  return version;
}

function checksum(name: string): string {
  return createHash('sha256')
    .update(readFileSync(join(release, name)))
    .digest('hex');
}

function size(name: string): string {
  const { size } = statSync(join(release, name));
  return size < 1 << 20 ? `${(size / 1024).toFixed(1)} KiB` : `${(size / 2 ** 20).toFixed(1)} MiB`;
}

try {
  main();
} catch (error) {
  process.stderr.write(`release: ${(error as Error).message.split('\n')[0]}\n`);
  process.exitCode = 1;
}
