import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory } from '../cache.ts';
import { go, modules, requireGo } from './go.ts';
import { type Say, seconds } from './say.ts';

const prefix = 'kube-apiserver-';

/**
 * The path of kube-apiserver in the version that test/e2e/cluster/go.mod asks for, which is built when the user's
 * cache does not have it.
 */
export async function apiServerBinary(say: Say): Promise<string> {
  const [, version = ''] = /^require k8s\.io\/kubernetes (v\S+)$/m.exec(read('go.mod')) ?? [];
  const cache = cacheDirectory('cluster');
  const name = `${prefix}${createHash('sha256').update(read('go.sum')).digest('hex').slice(0, 32)}`;
  const binary = join(cache, name);
  if (existsSync(binary)) return binary;

  await requireGo();
  const began = performance.now();
  say(`kube-apiserver ${version}: building, which takes some minutes the first time`);
  mkdirSync(cache, { recursive: true });
  const draft = join(cache, `draft-${process.pid}`);
  try {
    // A second build on this machine waits, and finds most of it in Go's cache then.
    await go(['build', '-o', draft, ...flags(version)], { lock: join(cache, 'lock') });
    renameSync(draft, binary);
  } finally {
    rmSync(draft, { force: true });
  }
  for (const old of readdirSync(cache)) {
    if (old.startsWith(prefix) && old !== name) rmSync(join(cache, old), { force: true });
  }
  say(`kube-apiserver ${version}: built in ${seconds(began)}`);
  return binary;
}

function read(file: string): string {
  return readFileSync(join(modules, file), 'utf8');
}

/** The version is what the server tells its clients, of whom some decide by it: Helm does. */
function flags(version: string): string[] {
  const [, major, minor] = /^v(\d+)\.(\d+)/.exec(version) ?? [];
  const values = Object.entries({ gitVersion: version, gitMajor: major, gitMinor: minor }).map(
    ([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`,
  );
  return ['-trimpath', '-ldflags', ['-s', '-w', ...values].join(' '), 'k8s.io/kubernetes/cmd/kube-apiserver'];
}
