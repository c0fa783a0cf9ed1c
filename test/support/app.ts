import { join } from 'node:path';
import { importImage, programImage } from '../../scripts/cluster/node/images.ts';
import { directory } from '../../scripts/cluster/node/place.ts';

/** The application of the tests on a node. */
export const appImage = 'localhost/bpf-sidecar-app:1';

/** How often it calls times(2), which nobody else in a container does, in its first instructions. */
export const firstCalls = 3;

/** Brings it to the node. */
export async function importApp(): Promise<void> {
  const archive = join(directory, 'app.tar');
  const source = join(import.meta.dirname, '../e2e/node/app.c');
  await programImage(appImage, source, archive, '-nostdlib', '-ffreestanding');
  await importImage(archive);
}
