import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';

/** What the compiled object of a probe is called, after the probe's name. */
export const objectEnd = '.bpf.o';

/** A program of the user's own: paths of the compiled object and of its metric spec. */
export interface OwnFiles {
  program: string;
  spec?: string;
}

/** What a cluster would have of it. */
export interface OwnProgram {
  name: string;
  /** A file with the `BPF` resource. */
  resource: string;
  /** The ConfigMap that this names: a directory with a file for each key. */
  configMap: string;
}

/** Puts a user's program into a `BPF` resource and a ConfigMap of its name, which are files in the directory. */
export function placeOwnProgram({ program, spec }: OwnFiles, directory: string): OwnProgram {
  const name = basename(program, objectEnd);
  const configMap = join(directory, 'configmap');
  mkdirSync(configMap);
  const keyOf = (file: string) => {
    const key = basename(file);
    symlinkSync(resolve(file), join(configMap, key));
    return { valueFrom: { configMapKeyRef: { name, key } } };
  };
  const resource = join(directory, 'bpf.yaml');
  const contents = {
    apiVersion: 'bpf.sh/v1alpha1',
    kind: 'BPF',
    metadata: { name },
    spec: { program: keyOf(program), ...(spec !== undefined && { metrics: keyOf(spec) }) },
  };
  writeFileSync(resource, JSON.stringify(contents));
  return { name, resource, configMap };
}
