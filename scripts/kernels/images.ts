import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';

import { at } from '../progress.ts';

const repository = join(import.meta.dirname, '../..');

/** What runs here: the virtual machines, and what makes their disks. */
export const toolPackages = ['qemu-system-x86', 'kmod', 'e2fsprogs', 'libarchive13t64'];

/** What a virtual machine has: what a node has, and what tests call. */
export const rootPackages = [
  ...[
    'base-files',
    'base-passwd',
    'bash',
    'coreutils',
    'dash',
    'findutils',
    'grep',
    'hostname',
    'mawk',
    'sed',
  ],
  ...['iproute2', 'kmod', 'mount', 'netbase', 'procps', 'util-linux', 'libstdc++6'],
  ...['clang', 'llvm', 'libbpf-dev', 'linux-libc-dev', 'gcc', 'libc6-dev', 'binutils'],
  ...['nginx-light', 'dnsmasq-base', 'bind9-dnsutils', 'e2fsprogs', 'strace'],
  ...['python3', 'python3-protobuf', 'python3-prometheus-client'],
];

/** Of node_modules what only serves to build and check. */
const leftOut = ['@biomejs', '@typescript', 'typescript', '@esbuild', 'esbuild'];

/** A directory with the files of packages: nothing of theirs is run to install them. */
export class Tree {
  readonly #directory: string;
  readonly #record: string;

  constructor(directory: string) {
    this.#directory = directory;
    this.#record = `${directory}.packages`;
  }

  path(...parts: string[]): string {
    return join(this.#directory, ...parts);
  }

  /** Adds the packages that are not there yet; resolves to whether there were any. */
  async add(archives: readonly string[]): Promise<boolean> {
    mkdirSync(this.#directory, { recursive: true });
    const present = existsSync(this.#record) ? readFileSync(this.#record, 'utf8').split('\n') : [];
    const missing = archives.filter((archive) => !present.includes(basename(archive)));
    // The links from /bin and /lib into /usr come first.
    missing.sort((a, b) => Number(b.includes('/base-files_')) - Number(a.includes('/base-files_')));
    for (const [index, archive] of missing.entries()) {
      at(index, missing.length, 'packages unpacked');
      await extract(archive, this.#directory);
      appendFileSync(this.#record, `${basename(archive)}\n`);
    }
    return missing.length > 0;
  }
}

/** `dpkg-deb --extract` itself would put a directory in the place of a link to one, such as /lib. */
async function extract(archive: string, directory: string): Promise<void> {
  const tar = spawn('dpkg-deb', ['--fsys-tarfile', archive], { stdio: ['ignore', 'pipe', 'inherit'] });
  const argv = ['--extract', '--keep-directory-symlink', '--no-same-owner', '-C', directory];
  await succeed(spawn('tar', argv, { stdio: ['pipe', 'ignore', 'pipe'] }), tar.stdout);
}

/** A program of a tree, with the libraries of the tree, as words to run. */
export function command(tools: Tree, program: string): string[] {
  const lib = 'usr/lib/x86_64-linux-gnu';
  return [
    tools.path('usr/lib64/ld-linux-x86-64.so.2'),
    ...['--library-path', tools.path(lib), '--argv0', basename(program)],
    tools.path(program),
  ];
}

/** A disk with the root of the virtual machines, and in it the modules of the kernels. */
export async function makeRootDisk(disk: string, root: Tree, releases: readonly string[], tools: Tree) {
  for (const name of ['passwd', 'group'])
    copyFileSync(root.path(`usr/share/base-passwd/${name}.master`), root.path('etc', name));
  writeFileSync(root.path('etc/hosts'), '127.0.0.1 localhost\n');
  mkdirSync(root.path('project'), { recursive: true });
  // What packages make when they are installed.
  for (const [name, target] of [
    ['awk', 'mawk'],
    ['cc', 'gcc'],
  ] as const) {
    rmSync(root.path('usr/bin', name), { force: true });
    symlinkSync(target, root.path('usr/bin', name));
  }
  for (const release of releases)
    await runIn(tools, 'usr/sbin/depmod', ['--basedir', root.path(), `${release}-cloud-amd64`]);
  await makeFileSystem(tools, disk, '3G', root.path());
}

/** A disk with this repository, less what is not needed to run tests, and the list of tests to run. */
export async function makeProjectDisk(disk: string, tests: readonly string[], tools: Tree): Promise<void> {
  const directory = mkdtempSync(`${disk}.`);
  try {
    writeFileSync(join(directory, 'tests'), `${tests.join('\n')}\n`);
    const files = [
      'bpf',
      'build',
      'docs',
      'examples',
      'node_modules',
      'package.json',
      'scripts',
      'sidecar',
      'test',
      'webhook',
    ];
    const tar = spawn(
      'tar',
      [
        ...leftOut.map((name) => `--exclude=node_modules/${name}`),
        '--create',
        '-C',
        repository,
        ...files,
        '-C',
        directory,
        'tests',
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await makeFileSystem(tools, disk, '1G', '-', tar.stdout);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** From a directory, or `-` for a tar archive. Sizes are limits: what is empty takes no room. */
async function makeFileSystem(
  tools: Tree,
  disk: string,
  size: string,
  source: string,
  archive?: NodeJS.ReadableStream,
) {
  rmSync(disk, { force: true });
  const options = [
    '-q',
    '-t',
    'ext4',
    '-O',
    '^has_journal',
    '-E',
    'root_owner=0:0',
    '-d',
    source,
    disk,
    size,
  ];
  await runIn(tools, 'usr/sbin/mke2fs', options, archive);
}

async function runIn(
  tools: Tree,
  program: string,
  argv: string[],
  input?: NodeJS.ReadableStream,
): Promise<void> {
  const [file, ...words] = [...command(tools, program), ...argv];
  await succeed(spawn(file!, words, { stdio: ['pipe', 'ignore', 'pipe'] }), input);
}

async function succeed(child: ChildProcess, input?: NodeJS.ReadableStream): Promise<void> {
  const ended = once(child, 'close');
  const said = text(child.stderr!);
  // Whoever has read enough closes it; whether all went well its exit code tells.
  if (input) await pipeline(input, child.stdin!).catch(() => {});
  else child.stdin!.end();
  const [code] = await ended;
  if (code !== 0)
    throw new Error(`${child.spawnargs.at(0)} ended with exit code ${code}: ${(await said).trim()}`);
}
