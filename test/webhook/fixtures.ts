import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { reviewOf as review } from '../../scripts/node/review.ts';
import { injectionConfig } from '../../webhook/config.ts';

export const fixtures = new URL('../fixtures/webhook/', import.meta.url);

export const podId = '0123456789abcdef';

/** A fixed version, so that a release does not rewrite the golden files. */
export const config = { ...injectionConfig('example.com/bpf-sidecar:test'), version: '0.0.0-test' };

// biome-ignore lint/suspicious/noExplicitAny: tests reach into raw JSON of any shape
export type Raw = any;

export const podNames: readonly string[] = readdirSync(new URL('pods/', fixtures)).map((file) =>
  file.replace(/\.yaml$/, ''),
);

/** A fresh copy of test/fixtures/webhook/pods/<name>.yaml. */
export function readPod(name: string): Raw {
  return parse(readFileSync(new URL(`pods/${name}.yaml`, fixtures), 'utf8'));
}

/** A small pod that asks for a sidecar, with further `bpf.sh/` annotations and fields of its spec. */
export function askingPod(annotations: Record<string, unknown> = {}, spec: object = {}): Raw {
  const prefixed = Object.entries(annotations).map(([name, value]) => [`bpf.sh/${name}`, value]);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', annotations: { 'bpf.sh/inject': 'true', ...Object.fromEntries(prefixed) } },
    spec: { containers: [{ name: 'web', image: 'nginx:1.27' }], ...spec },
  };
}

/** What the API server posts for the creation of `pod`. */
export function reviewOf(pod: unknown, uid = '705ab4f5-6393-11e8-b7cc-42010a800002'): Raw {
  return review(pod, uid, 'shop');
}

/** A pod without the empty lists and maps that injection may fill: to the API server they are the same as none. */
export function withoutEmpty(pod: Raw): Raw {
  const { initContainers, volumes, ...spec } = pod.spec;
  const { labels, ...metadata } = pod.metadata;
  return {
    ...pod,
    metadata: { ...metadata, ...(Object.keys(labels ?? {}).length > 0 && { labels }) },
    spec: {
      ...spec,
      ...(initContainers?.length > 0 && { initContainers }),
      ...(volumes?.length > 0 && { volumes }),
    },
  };
}
