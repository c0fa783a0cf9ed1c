import { type Api, ApiError } from '../kubernetes/client.ts';
import type { ApiObject } from '../kubernetes/watch.ts';
import { keepInlineSpec } from './inline-spec.ts';
import type { Known } from './known.ts';
import { objectProblem } from './object.ts';
import { Obstacle } from './obstacle.ts';
import type { KeyReference, Program } from './resource.ts';
import type { Finding } from './status.ts';

export interface Lookout {
  /** Rejects when the API server cannot be asked. */
  look(known: Known, program: Program): Promise<Finding>;
  forget(uid: string): void;
}

/** A ConfigMap or a Secret. */
interface Holder extends ApiObject {
  data?: Record<string, string>;
  binaryData?: Record<string, string>;
}

const metadataOnly = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json';
const httpStatus = { forbidden: 403, notFound: 404 } as const;
/** Of a ConfigMap, that a message tells. */
const maxKeys = 10;

/**
 * Tells whether the ConfigMaps and Secrets that resources name are there, have the keys, and hold what they should, and
 * keeps the metric specs that are in resources. What has not changed is not read again.
 */
export function createLookout(api: Api): Lookout {
  const seen = new Map<string, { versions: string; finding: Finding }>();

  async function lookAt(known: Known, { object, spec, inlineSpec }: Program): Promise<Finding> {
    const { namespace, uid, generation } = known;
    if (spec && inlineSpec) await keepInlineSpec(api, known, spec, inlineSpec);
    const named = inlineSpec || !spec ? [object] : [object, spec];
    const heads = await Promise.all(named.map((reference) => read(namespace, reference, metadataOnly)));
    const versions = [generation, ...heads.map(({ metadata }) => metadata.resourceVersion)].join();
    const before = seen.get(uid);
    if (before?.versions === versions) return before.finding;
    const finding = await findingOf(judge(namespace, named));
    seen.set(uid, { versions, finding });
    return finding;
  }

  async function judge(namespace: string, [object, spec]: readonly KeyReference[]): Promise<Finding> {
    const problem = objectProblem(await contentOf(namespace, object!));
    if (problem) throw new Obstacle('False', 'NotAnObject', `${titleOf(object!)} ${problem}`);
    // What is in the spec the sidecars tell: to parse YAML of that size takes longer than a pod's admission may wait.
    if (spec) await contentOf(namespace, spec);
    return { status: 'True', reason: 'Available', message: 'all that it names is there' };
  }

  async function contentOf(namespace: string, reference: KeyReference): Promise<Buffer> {
    const { data, binaryData } = await read(namespace, reference);
    const text = data?.[reference.key];
    const encoded = reference.kind === 'Secret' ? text : binaryData?.[reference.key];
    if (encoded !== undefined) return Buffer.from(encoded, 'base64');
    if (text !== undefined) return Buffer.from(text);
    const keys = Object.keys({ ...data, ...binaryData }).slice(0, maxKeys);
    throw new Obstacle(
      'False',
      'KeyMissing',
      `${titleOf(reference)} is not there; the ${reference.kind} has ${keys.join(', ') || 'no keys'}`,
    );
  }

  async function read(namespace: string, { kind, name }: KeyReference, accept?: string): Promise<Holder> {
    const path = `/api/v1/namespaces/${namespace}/${kind.toLowerCase()}s/${name}`;
    try {
      return await api.call<Holder>({ path, ...(accept && { accept }) });
    } catch (error) {
      const status = error instanceof ApiError ? error.status : undefined;
      if (status === httpStatus.notFound)
        throw new Obstacle('False', `${kind}Missing`, `there is no ${kind} "${name}" in the namespace`);
      if (status === httpStatus.forbidden)
        throw new Obstacle('Unknown', 'NotPermitted', `the webhook may not read the ${kind} "${name}"`);
      throw error;
    }
  }

  return {
    look: (known, program) => findingOf(lookAt(known, program)),
    forget: (uid) => void seen.delete(uid),
  };
}

async function findingOf(looking: Promise<Finding>): Promise<Finding> {
  try {
    return await looking;
  } catch (error) {
    if (error instanceof Obstacle) return error.finding;
    throw error;
  }
}

function titleOf({ kind, name, key }: KeyReference): string {
  return `key ${key} of ${kind} ${name}`;
}
