import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { goBinary } from '../../scripts/cluster/binary.ts';
import { operatorSource } from '../../scripts/cluster/crds.ts';
import { modules } from '../../scripts/cluster/go.ts';
import { importImage } from '../../scripts/cluster/node/images.ts';
import { scratchImage, withBuildah } from '../../scripts/image/buildah.ts';
import { kubectl } from './node.ts';

const gather = join(import.meta.dirname, '../../scripts/image/gather.sh');

/**
 * Installs the Prometheus Operator as its README tells: by its bundle.yaml. Its images come from its module, and that of
 * Prometheus from Debian's package.
 */
export async function installOperator(): Promise<void> {
  const [, version = ''] = /^require github\.com\/prometheus-operator\/prometheus-operator (v\S+)$/m.exec(
    readFileSync(join(modules, 'prometheus-operator/go.mod'), 'utf8'),
  )!;
  for (const [name, command] of [
    ['prometheus-operator', 'operator'],
    ['prometheus-config-reloader', 'prometheus-config-reloader'],
  ] as const) {
    const source = `github.com/prometheus-operator/prometheus-operator/cmd/${command}`;
    const binary = await goBinary(
      { name, version, source, folder: 'prometheus-operator', linked: false },
      (line) => process.stderr.write(`${line}\n`),
    );
    await imageOf(`quay.io/prometheus-operator/${name}:${version}`, binary);
  }
  await imageOf(`quay.io/prometheus/prometheus:${prometheusVersion()}`, '/usr/bin/prometheus');

  const bundle = join(await operatorSource(), 'bundle.yaml');
  await kubectl('apply', '--server-side', '--filename', bundle);
  await kubectl('rollout', 'status', '--timeout=120s', 'deployment/prometheus-operator');
}

/** As the Operator names it: `v2.42.0`. */
export function prometheusVersion(): string {
  const [, version] = /version (\d+\.\d+\.\d+)/.exec(
    execFileSync('prometheus', ['--version'], { encoding: 'utf8' }),
  )!;
  return `v${version}`;
}

/** Has the node know an image with one program of this machine and its libraries. */
function imageOf(image: string, program: string): Promise<void> {
  return withBuildah(async (buildah, work) => {
    const root = join(work, 'image');
    execFileSync('sh', [gather, root, program]);
    const archive = join(work, `${basename(program)}.tar`);
    await scratchImage(buildah, image, { contents: [root], entrypoint: program }, archive);
    importImage(archive);
  });
}
