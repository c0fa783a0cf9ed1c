import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory } from '../cache.ts';
import { step } from '../progress.ts';
import { build, modules, requireGo } from './go.ts';

/** The programs of Kubernetes that a cluster is made of, as `go.mod` has them for tools. */
export const kubernetesPrograms = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
] as const;
export type KubernetesProgram = (typeof kubernetesPrograms)[number];

/** The path of a program of Kubernetes in the version that test/e2e/cluster/go.mod asks for. */
export function kubernetesBinary(program: KubernetesProgram): Promise<string> {
  const version = requiredVersion('.', 'k8s.io/kubernetes');
  // The version is what the programs tell others, of whom some decide by it: Helm does.
  const [, major, minor] = /^v(\d+)\.(\d+)/.exec(version) ?? [];
  const values = Object.entries({ gitVersion: version, gitMajor: major, gitMinor: minor }).map(
    ([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`,
  );
  return goBinary({
    name: program,
    version,
    source: `k8s.io/kubernetes/cmd/${program}`,
    linking: values.join(' '),
  });
}

interface GoProgram {
  name: string;
  /** For people. */
  version: string;
  /** Its package. */
  source: string;
  /** The folder below test/e2e/cluster whose go.mod has it. */
  folder?: string;
  /** More flags for the linker. */
  linking?: string;
  /** For an image: it needs no library. */
  isStatic?: boolean;
  tags?: string;
}

/** The version of a module that a go.mod below test/e2e/cluster asks for. */
export function requiredVersion(folder: string, module: string): string {
  const line = read(folder, 'go.mod')
    .split('\n')
    .map((line) => line.replace(/^require|\/\/.*$/g, '').trim())
    .find((line) => line.startsWith(`${module} v`));
  return line?.split(' ')[1] ?? '';
}

/** The path of a program of a Go module, which is built when the user's cache does not have it. */
export async function goBinary({
  name,
  version,
  source,
  folder = '.',
  linking = '',
  isStatic = false,
  tags = '',
}: GoProgram): Promise<string> {
  const cache = cacheDirectory('cluster');
  const prefix = `${name}-`;
  const file = `${prefix}${createHash('sha256').update(read(folder, 'go.sum')).digest('hex').slice(0, 32)}`;
  const binary = join(cache, file);
  if (existsSync(binary)) return binary;

  await requireGo();
  mkdirSync(cache, { recursive: true });
  const draft = join(cache, `draft-${process.pid}`);
  try {
    const flags = ['-trimpath', '-tags', tags, '-ldflags', `-s -w ${linking}`];
    await step(
      `${name} ${version}`,
      () =>
        build(draft, source, flags, {
          folder,
          // A second build on this machine waits, and finds most of it in Go's cache then.
          lock: join(cache, 'lock'),
          ...(isStatic && { env: { CGO_ENABLED: '0' } }),
        }),
      { doing: 'building, which takes some minutes the first time', done: 'built' },
    );
    renameSync(draft, binary);
  } finally {
    rmSync(draft, { force: true });
  }
  const ofAnyVersion = new RegExp(`^${prefix}[0-9a-f]{32}$`);
  for (const old of readdirSync(cache)) {
    if (ofAnyVersion.test(old) && old !== file) rmSync(join(cache, old), { force: true });
  }
  return binary;
}

function read(folder: string, file: string): string {
  return readFileSync(join(modules, folder, file), 'utf8');
}
