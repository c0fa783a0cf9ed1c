import { isObject, type Json } from './pod.ts';

/** `admission.k8s.io/v1`; see https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/ */
export const reviewVersion = 'admission.k8s.io/v1';

export interface AdmissionRequest {
  /** The version of the review, which its answer must have too. */
  apiVersion: string;
  uid: string;
  namespace: string;
  /** The name, or the generateName of a pod whose name is not made yet. */
  name: string;
  operation: unknown;
  /** `group/version/kind` of the object; the core group is empty. */
  kind: string;
  object: unknown;
}

export interface AdmissionReview {
  apiVersion: string;
  kind: 'AdmissionReview';
  response: {
    uid: string;
    allowed: true;
    patchType?: 'JSONPatch';
    /** Base64 of the patch's JSON. */
    patch?: string;
    warnings?: string[];
  };
}

/** Reads the request out of an AdmissionReview. Returns a sentence when there is nobody to answer to. */
export function readReview(body: unknown): AdmissionRequest | { problem: string } {
  const request = isObject(body) && body.kind === 'AdmissionReview' ? body.request : undefined;
  if (!isObject(body) || !isObject(request) || typeof request.uid !== 'string' || request.uid === '')
    return {
      problem: `the body must be an AdmissionReview of ${reviewVersion} with a request that has a uid`,
    };
  const metadata = isObject(request.object) ? request.object.metadata : undefined;
  const { name, generateName } = isObject(metadata) ? metadata : ({} as Json);
  const { group, version, kind } = isObject(request.kind) ? request.kind : ({} as Json);
  return {
    apiVersion: text(body.apiVersion),
    uid: request.uid,
    namespace: text(request.namespace),
    name: text(request.name) || text(name) || text(generateName),
    operation: request.operation,
    kind: `${text(group)}/${text(version)}/${text(kind)}`,
    object: request.object,
  };
}

/** Admits the object, with the patch and the warnings if there are any. */
export function answerReview(
  { apiVersion, uid }: AdmissionRequest,
  patch: readonly unknown[],
  warnings: string[],
): AdmissionReview {
  return {
    apiVersion: apiVersion || reviewVersion,
    kind: 'AdmissionReview',
    response: {
      uid,
      allowed: true,
      ...(patch.length > 0 && {
        patchType: 'JSONPatch',
        patch: Buffer.from(JSON.stringify(patch)).toString('base64'),
      }),
      ...(warnings.length > 0 && { warnings }),
    },
  };
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
