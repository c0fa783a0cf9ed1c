import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { goBinary, requiredVersion } from '../../scripts/cluster/binary.ts';
import { operatorSource } from '../../scripts/cluster/crds.ts';
import { importImage } from '../../scripts/cluster/node/images.ts';
import { scratchImage, withBuildah } from '../../scripts/image/buildah.ts';
import { kubectl } from './node.ts';

const operator = 'github.com/prometheus-operator/prometheus-operator';
const prometheus = 'github.com/prometheus/prometheus';

const operatorVersion = requiredVersion('prometheus-operator', operator);
/** As the Operator names it: of Prometheus 3.11.3 the module's version is v0.311.3. */
export const prometheusVersion = requiredVersion('prometheus', prometheus).replace(
  /^v0\.(\d)(\d\d)\./,
  (_, major, minor) => `v${major}.${Number(minor)}.`,
);

const programs = [
  {
    image: 'quay.io/prometheus-operator/prometheus-operator',
    name: 'operator',
    version: operatorVersion,
    folder: 'prometheus-operator',
    source: `${operator}/cmd/operator`,
  },
  {
    image: 'quay.io/prometheus-operator/prometheus-config-reloader',
    name: 'prometheus-config-reloader',
    version: operatorVersion,
    folder: 'prometheus-operator',
    source: `${operator}/cmd/prometheus-config-reloader`,
  },
  {
    image: 'quay.io/prometheus/prometheus',
    name: 'prometheus',
    version: prometheusVersion,
    folder: 'prometheus',
    source: `${prometheus}/cmd/prometheus`,
    // Of its many ways to find targets only this one.
    tags: 'remove_all_sd,enable_kubernetes_sd',
  },
];

/** Installs the Prometheus Operator as its README tells: by its bundle.yaml. */
export async function installOperator(): Promise<void> {
  for (const { image, ...program } of programs) {
    const binary = await goBinary({ ...program, isStatic: true });
    await importProgram(`${image}:${program.version}`, `/bin/${program.name}`, binary);
  }
  const bundle = join(await operatorSource(), 'bundle.yaml');
  await kubectl('apply', '--server-side', '--filename', bundle);
  await kubectl('rollout', 'status', '--timeout=120s', 'deployment/prometheus-operator');
}

/** Has the node know an image of one program. */
function importProgram(image: string, entrypoint: string, binary: string): Promise<void> {
  return withBuildah(async (buildah, work) => {
    const root = join(work, 'image');
    mkdirSync(join(root, 'bin'), { recursive: true });
    copyFileSync(binary, join(root, entrypoint));
    const archive = join(work, 'image.tar');
    await scratchImage(buildah, image, { contents: [root], entrypoint }, archive);
    await importImage(archive);
  });
}
