import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { kubernetesTool } from '../../scripts/cluster/tools.ts';

export const chart = join(import.meta.dirname, '../../charts/bpf-sidecar');

/** An object of the API server, as the chart renders it. */
export interface Rendered {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  // What a test looks at is the test's to know.
  // biome-ignore lint/suspicious/noExplicitAny: objects of any kind
  [field: string]: any;
}

/** What helm printed, and whether it did what it was told. */
export function helm(args: readonly string[], values: unknown = {}) {
  const { status, stdout, stderr } = spawnSync(kubernetesTool('helm'), [...args, '--values', '-'], {
    input: JSON.stringify(values),
    encoding: 'utf8',
    env: { ...process.env, KUBECONFIG: '/dev/null' },
  });
  return { ok: status === 0, stdout, stderr };
}

/** The objects of a release `bpf-sidecar` in the namespace `observability`. */
export function render(values: unknown = {}): Rendered[] {
  const { ok, stdout, stderr } = helm(
    ['template', 'bpf-sidecar', chart, '--namespace', 'observability'],
    values,
  );
  if (!ok) throw new Error(stderr);
  return parseAllDocuments(stdout, { merge: true })
    .map((document) => document.toJS())
    .filter((object) => object !== null);
}

/** The one object of the kind, and of the name if there may be more. */
export function find(objects: readonly Rendered[], kind: string, name?: string): Rendered {
  const found = objects.filter(
    (object) => object.kind === kind && (name === undefined || object.metadata.name === name),
  );
  if (found.length !== 1) throw new Error(`${found.length} objects are a ${kind} ${name ?? ''}`);
  return found[0]!;
}
