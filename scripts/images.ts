/** `npm run images`: builds the two images of the Dockerfile into files that container runtimes import. See --help. */
import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs, promisify } from 'node:util';
import { type Buildah, save, withBuildah } from './image/buildah.ts';
import { note, step, waiting } from './progress.ts';

const root = join(import.meta.dirname, '..');
const run = promisify(execFile);

const help = `Usage: npm run images [-- options]

Builds the images of the webhook and of the sidecar with buildah, as root and without a daemon, into
build/images/webhook.tar and build/images/sidecar.tar (OCI archives), with a bill of materials beside each.

  --base IMAGE  what Node and the libraries are taken from, such as node:24-bookworm-slim; without it, a root of
                Debian that is made here, with the Node of node_modules
  --tag TAG     of the images localhost/bpf-sidecar and localhost/bpf-sidecar-webhook (default: the version)
  --help        show this
`;

/** What a base has beside the essential packages. */
const packages = ['libstdc++6', 'libbpf1'];

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { base: { type: 'string' }, tag: { type: 'string' }, help: { type: 'boolean' } },
  });
  if (values.help) {
    process.stdout.write(help);
    return;
  }
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const tag = values.tag ?? version;
  mkdirSync(join(root, 'build/images'), { recursive: true });
  await withBuildah(async (buildah, work) => {
    const base =
      values.base ?? (await step('A root of Debian', () => makeBase(work, buildah), { done: 'made' }));
    for (const [target, name] of [
      ['webhook', 'bpf-sidecar-webhook'],
      ['sidecar', 'bpf-sidecar'],
    ] as const) {
      const image = `localhost/${name}:${tag}`;
      const file = join(root, 'build/images', `${target}.tar`);
      const given = [`BASE=${base}`, `VERSION=${version}`].flatMap((one) => ['--build-arg', one]);
      await waiting(image, async () => {
        // Such as "[1/2] STEP 3/5: COPY ...".
        await buildah(['bud', '--target', target, ...given, '--tag', image, root], (line) => {
          if (line.includes('STEP ')) note(line);
        });
        note('compressing');
        await save(buildah, image, file);
        await copyBill(buildah, image, join(root, 'build/images', `${target}.cdx.json`));
      });
      const size = (statSync(file).size / 1024 / 1024).toFixed(0);
      process.stdout.write(`${image}: ${size} MiB compressed, in build/images/${target}.tar\n`);
    }
  });
}

/** For whoever looks up vulnerabilities without pulling the image. */
async function copyBill(buildah: Buildah, image: string, file: string): Promise<void> {
  const container = await buildah(['from', image]);
  const mounted = await buildah(['mount', container]);
  copyFileSync(join(mounted, 'usr/share/bpf-sidecar/bill-of-materials.cdx.json'), file);
  await buildah(['rm', container]);
}

async function makeBase(work: string, buildah: Buildah): Promise<string> {
  const folder = join(work, 'base');
  const argv = ['--variant=essential', `--include=${packages.join(',')}`, codename(), folder];
  const running = run('mmdebstrap', argv, { maxBuffer: 1 << 26 });
  createInterface(running.child.stderr!).on('line', (line) => {
    if (line.startsWith('I: ')) note(line.slice(3));
  });
  await running;
  mkdirSync(join(folder, 'usr/local/bin'), { recursive: true });
  copyFileSync(process.execPath, join(folder, 'usr/local/bin/node'));
  const container = await buildah(['from', 'scratch']);
  await buildah(['add', container, folder, '/']);
  await buildah(['commit', '--rm', container, 'localhost/bpf-sidecar-base']);
  rmSync(folder, { recursive: true });
  return 'localhost/bpf-sidecar-base';
}

/** Of the release that this machine runs, whose packages apt knows. */
function codename(): string {
  return /^VERSION_CODENAME=(.+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'stable';
}

try {
  await main();
} catch (error) {
  const { message, stderr = '' } = error as Error & { stderr?: string };
  process.stderr.write(`images: ${message.split('\n')[0]}\n${stderr.split('\n').slice(-10).join('\n')}\n`);
  process.exitCode = 1;
}
