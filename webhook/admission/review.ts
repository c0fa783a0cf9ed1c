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
  /** Nothing will come of it, so it may have no side effects. */
  dryRun: boolean;
}

export interface AdmissionReview {
  apiVersion: string;
  kind: 'AdmissionReview';
  response: {
    uid: string;
    allowed: boolean;
    /** Why it is not allowed. */
    status?: { code: number; reason: string; message: string };
    patchType?: 'JSONPatch';
    /** Base64 of the patch's JSON. */
    patch?: string;
    warnings?: string[];
    /** Written into the API server's audit log, each under the name of the webhook. */
    auditAnnotations?: Record<string, string>;
  };
}

/** What a review is answered with. */
export interface Verdict {
  patch?: readonly unknown[];
  warnings?: readonly string[];
  /** Refuses the request, for this reason. */
  refusal?: string | undefined;
  audit?: Record<string, string>;
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
    dryRun: request.dryRun === true,
  };
}

export function answerReview(
  { apiVersion, uid }: AdmissionRequest,
  { patch = [], warnings = [], refusal, audit }: Verdict,
): AdmissionReview {
  return {
    apiVersion: apiVersion || reviewVersion,
    kind: 'AdmissionReview',
    response: {
      uid,
      allowed: refusal === undefined,
      ...(refusal !== undefined && { status: { code: 400, reason: 'BadRequest', message: refusal } }),
      ...(patch.length > 0 && {
        patchType: 'JSONPatch',
        patch: Buffer.from(JSON.stringify(patch)).toString('base64'),
      }),
      ...(warnings.length > 0 && { warnings: [...warnings] }),
      ...(audit && { auditAnnotations: audit }),
    },
  };
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
