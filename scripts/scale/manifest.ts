import { randomUUID } from 'node:crypto';
import jsonpatch from 'fast-json-patch';
import { annotationPrefix } from '../../sidecar/contract/annotations.ts';
import { decide } from '../../webhook/admission/decide.ts';
import { identityOf } from '../../webhook/admission/identity.ts';
import { buildPatch } from '../../webhook/admission/patch.ts';
import { injectionConfig } from '../../webhook/config.ts';

const config = injectionConfig('example.com/bpf-sidecar:scale');

/** A pod as the webhook admits it; `annotations` without their prefix. */
export function injectedManifest(name: string, annotations: Readonly<Record<string, string>> = {}): object {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      labels: { app: 'web' },
      annotations: Object.fromEntries(
        Object.entries({ inject: 'true', ...annotations }).map(([key, value]) => [
          annotationPrefix + key,
          value,
        ]),
      ),
    },
    spec: { containers: [{ name: 'web', image: 'nginx:1.27' }] },
  };
  const decision = decide(pod, config);
  if (!decision.inject) throw new Error(decision.messages.join('; '));
  const patch = buildPatch(decision.pod, decision.sidecar, config.version, identityOf(randomUUID()));
  return jsonpatch.applyPatch(pod, patch).newDocument;
}
