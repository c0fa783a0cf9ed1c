import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');

/** Runs buildah in the repository; resolves to what it prints. `onLine` sees all that it writes. */
export type Buildah = (argv: readonly string[], onLine?: (line: string) => void) => Promise<string>;

/** Gives `use` a buildah and a folder for its work, of which nothing is left afterwards. */
export async function withBuildah<T>(use: (buildah: Buildah, work: string) => Promise<T>): Promise<T> {
  const work = mkdtempSync(join(tmpdir(), 'bpf-sidecar-images-'));
  const buildah = storageIn(work);
  try {
    return await use(buildah, work);
  } finally {
    // What it has unpacked is mounted and owned by it.
    await buildah(['unmount', '--all']).catch(() => {});
    rmSync(work, { recursive: true, force: true });
  }
}

/** Makes an image of nothing but these files, or what is in these folders; writes it as an OCI archive. */
export async function scratchImage(
  buildah: Buildah,
  image: string,
  { contents, entrypoint }: { contents: readonly string[]; entrypoint: string },
  archive: string,
): Promise<void> {
  const container = await buildah(['from', 'scratch']);
  await buildah(['add', container, ...contents, '/']);
  await buildah(['config', '--entrypoint', JSON.stringify([entrypoint]), container]);
  await buildah(['commit', '--rm', container, image]);
  await save(buildah, image, archive);
}

/** Writes an image into a new file, an OCI archive, that container runtimes import under its name. */
export async function save(buildah: Buildah, image: string, archive: string): Promise<void> {
  rmSync(archive, { force: true });
  await buildah(['push', image, `oci-archive:${archive}:${image}`]);
}

/** buildah with its storage in a folder of ours, and without a container runtime: RUN is a chroot. */
function storageIn(work: string): Buildah {
  const configuration = join(work, 'storage.conf');
  writeFileSync(
    configuration,
    `[storage]\ndriver = "vfs"\ngraphroot = "${work}/graph"\nrunroot = "${work}/run"\n`,
  );
  const env = { ...process.env, CONTAINERS_STORAGE_CONF: configuration, BUILDAH_ISOLATION: 'chroot' };
  return async (argv, onLine = () => {}) => {
    const running = run('buildah', argv, { env, cwd: root, maxBuffer: 1 << 26 });
    const { stdout, stderr } = running.child;
    for (const stream of [stdout!, stderr!]) createInterface(stream).on('line', onLine);
    return (await running).stdout.trim();
  };
}
