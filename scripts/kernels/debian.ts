import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { note } from '../progress.ts';

const run = promisify(execFile);

/** What the machines' files and QEMU are from. */
const release = 'trixie';
/** Where its kernels are, and older and newer ones: the releases with long support, and backports. */
const suites = ['bullseye', 'bookworm', release, `${release}-backports`];
const securitySuites = ['bullseye', 'bookworm', release].map((name) => `${name}-security`);
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
/** Milliseconds after which the lists of packages are fetched again. */
const freshness = 24 * 3_600_000;

/** Debian's packages for x86-64, whatever this machine runs, seen through an apt of its own. */
export interface Debian {
  /** The kernels for virtual machines, by release, such as `6.1.0-56`. */
  kernels(): Promise<string[]>;
  /** Downloads the packages of a kernel; resolves to their paths. */
  fetchKernel(release: string): Promise<string[]>;
  /** Downloads packages and all that they depend on; resolves to the paths of all. */
  fetch(packages: readonly string[]): Promise<string[]>;
}

export async function openDebian(directory: string): Promise<Debian> {
  const [lists, status, sources] = [
    join(directory, 'lists'),
    join(directory, 'status'),
    join(directory, 'list.sources'),
  ];
  mkdirSync(join(lists, 'partial'), { recursive: true });
  // Nothing is installed, as apt sees it here, and nothing that it does reaches the machine's own packages. Apt makes its
  // caches anew where this file has changed.
  if (!existsSync(status)) writeFileSync(status, '');
  const options = [
    `Dir::Etc::SourceList=${sources}`,
    'Dir::Etc::SourceParts=/dev/null',
    'Dir::Etc::Preferences=/dev/null',
    'Dir::Etc::PreferencesParts=/dev/null',
    `Dir::State=${directory}`,
    `Dir::State::Lists=${lists}`,
    `Dir::State::status=${status}`,
    `Dir::Cache=${directory}`,
    // Images of containers switch these off, and then every command takes ten seconds to read all lists.
    'Dir::Cache::pkgcache=pkgcache.bin',
    'Dir::Cache::srcpkgcache=srcpkgcache.bin',
    'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false',
    'APT::Architecture=amd64',
    'APT::Architectures=amd64',
    'APT::Sandbox::User=root',
    'APT::Install-Recommends=false',
    'Acquire::Languages=none',
    'Debug::NoLocking=true',
  ].flatMap((option) => ['-o', option]);
  const apt = async (program: string, argv: string[], cwd = directory) => {
    try {
      const running = run(program, [...options, ...argv], { cwd, maxBuffer: 1 << 28 });
      noteFetched(running.child.stdout!);
      return (await running).stdout;
    } catch (error) {
      const { stderr, message } = error as { stderr?: string; message: string };
      throw new Error(`${program} ${argv.join(' ').slice(0, 100)} failed: ${(stderr || message).trim()}`);
    }
  };

  const fetched = join(lists, 'fetched');
  if (!isFresh(fetched))
    try {
      writeFileSync(sources, await sourcesLikeOurs());
      await apt('apt-get', ['update', '-q', '--error-on=any']);
      writeFileSync(fetched, '');
    } catch (error) {
      // Without a network what is in the cache serves as well.
      if (!existsSync(fetched)) throw error;
    }
  const names = async (prefix: string) =>
    (await apt('apt-cache', ['pkgnames', prefix])).split('\n').filter(Boolean);
  const kinds = ['image', 'binary', 'modules'];

  return {
    async kernels() {
      const all = (await Promise.all(kinds.map((kind) => names(`linux-${kind}-`)))).flat();
      return (
        [
          ...new Set(
            all.flatMap((name) => /^linux-(?:image|binary)-(\d+\.\d+.*)-cloud-amd64$/.exec(name)?.[1] ?? []),
          ),
        ]
          // Meta-packages have no more than the series.
          .filter((release) => /^\d+\.\d+\.\d/.test(release))
      );
    },
    async fetchKernel(release) {
      const packages: string[] = [];
      for (const kind of kinds) {
        const name = `linux-${kind}-${release}-cloud-amd64`;
        if ((await names(name)).includes(name)) packages.push(name);
      }
      // Without what they depend on: that serves to install them.
      const archives = join(directory, 'kernels', release);
      mkdirSync(archives, { recursive: true });
      const fetched = () => readdirSync(archives).filter((name) => name.endsWith('.deb'));
      if (fetched().length < packages.length) await apt('apt-get', ['download', '-q', ...packages], archives);
      return fetched().map((name) => join(archives, name));
    },
    async fetch(packages) {
      const archives = join(directory, 'archives');
      mkdirSync(join(archives, 'partial'), { recursive: true });
      const install = ['-o', `Dir::Cache::archives=${archives}`, 'install', '-q', '-y', '-t', release];
      await apt('apt-get', [...install, '--download-only', ...packages]);
      const plan = await apt('apt-get', [...install, '--simulate', ...packages]);
      return installed(plan).map((name) => join(archives, name));
    },
  };
}

/** Notes how far apt is with what it fetches, by what it writes about that. */
function noteFetched(output: NodeJS.ReadableStream): void {
  let all = '';
  createInterface(output).on('line', (line) => {
    const [, packages] = /(\d+) newly installed/.exec(line) ?? [];
    if (packages !== undefined) all = ` of ${packages}`;
    const [, file] = /^Get:(\d+) /.exec(line) ?? [];
    if (file !== undefined) note(`file ${file}${all}`);
  });
}

/** The archives of a plan's packages, as apt names them. */
export function installed(plan: string): string[] {
  return [...plan.matchAll(/^Inst (\S+) \((\S+) .*\[(\w+)\]\)/gm)].map(
    ([, name, version, architecture]) =>
      `${name!.split(':')[0]}_${version!.replaceAll(':', '%3a')}_${architecture}.deb`,
  );
}

/** Sources of all suites, from where this machine has Debian's packages from. */
async function sourcesLikeOurs(): Promise<string> {
  const format = '$(ORIGIN) $(CODENAME) $(REPO_URI)';
  const argv = ['indextargets', '--format', format, 'Created-By: Packages'];
  const targets = await run('apt-get', argv).catch((error) => {
    throw new Error(`apt-get cannot tell where Debian's packages are (${error.message}): run this on Debian`);
  });
  const uriOf = (pattern: RegExp) => pattern.exec(targets.stdout)?.[1];
  const archive = uriOf(/^Debian [a-z]+(?:-updates)? (\S+)$/m);
  const security = uriOf(/^Debian [a-z]+-security (\S+)$/m);
  if (archive === undefined || security === undefined)
    throw new Error("apt knows no archive of Debian's, or not its security archive: run this on Debian");
  const source = (uri: string, suites: readonly string[]) =>
    `Types: deb\nURIs: ${uri}\nSuites: ${suites.join(' ')}\nComponents: main\nSigned-By: ${keyring}\n`;
  return [source(archive, suites), source(security, securitySuites)].join('\n');
}

function isFresh(file: string): boolean {
  const modified = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return Date.now() - modified < freshness;
}
