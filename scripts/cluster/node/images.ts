import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { version } from '../../../sidecar/version.ts';
import { scratchImage, withBuildah } from '../../image/buildah.ts';
import { at } from '../../progress.ts';
import { ctr, pauseImage } from './containerd.ts';
import { directory } from './place.ts';

const built = join(import.meta.dirname, '../../../build/images');
const archives = ['webhook', 'sidecar'].map((name) => join(built, `${name}.tar`));

/**
 * Brings the images of the chart to the node, and that of the container which holds a pod. The node reaches no registry:
 * for the examples, that of the webhook, which has Node, goes by the name of Node's too.
 */
export async function importImages(): Promise<void> {
  const pause = join(directory, 'pause.tar');
  await programImage(pauseImage, join(import.meta.dirname, 'pause.c'), pause);
  const all = [pause, ...archives];
  for (const [index, archive] of all.entries()) {
    at(index, all.length);
    await importImage(archive);
  }
  await ctr('images', 'tag', `localhost/bpf-sidecar-webhook:${version}`, 'docker.io/library/node:24-slim');
}

/** Has the node know the images of an OCI archive. */
export async function importImage(archive: string): Promise<void> {
  await ctr('images', 'import', archive);
}

/** Makes an image of one program, given as C, that needs no library; flags are for the compiler. */
export function programImage(
  image: string,
  source: string,
  archive: string,
  ...flags: string[]
): Promise<void> {
  return withBuildah(async (buildah, work) => {
    const program = join(work, 'program');
    execFileSync('cc', ['-static', '-O2', '-Wall', ...flags, '-o', program, source], { stdio: 'pipe' });
    await scratchImage(buildah, image, { contents: [program], entrypoint: '/program' }, archive);
  });
}
