import { isDeepStrictEqual } from 'node:util';
import { isObject, type Json } from '../admission/pod.ts';
import { type AdmissionReview, answerReview, readReview, reviewVersion } from '../admission/review.ts';
import { programsOff } from './allowed.ts';
import { bpfGroup, bpfVersion, readProgram } from './resource.ts';

export interface Validation {
  review: AdmissionReview;
  namespace: string;
  name: string;
  /** What is wrong with the resource, in one sentence. */
  problem?: string;
}

/**
 * Answers one AdmissionReview of a `BPF` resource: one that no pod could use is refused with a sentence that names the
 * field, and whoever makes one where programs are not allowed is warned. A change that leaves `spec` as it is always
 * passes, so that labels, finalizers and the end of a resource do not depend on us. Pure.
 */
export function validate(
  body: unknown,
  allowedNamespaces: readonly string[],
): Validation | { problem: string } {
  const request = readReview(body);
  if ('problem' in request) return request;
  const { namespace, name } = request;
  const pass = (...warnings: string[]) => ({ review: answerReview(request, { warnings }), namespace, name });

  if (request.apiVersion !== reviewVersion || request.kind !== `${bpfGroup}/${bpfVersion}/BPF`)
    return pass(`bpf-sidecar: /programs must be registered for BPF of ${bpfGroup}/${bpfVersion} only`);
  const { object } = request;
  if (!isObject(object) || isObject(object.metadata) === false) return pass();
  const before = ((body as Json).request as Json).oldObject;
  if (isObject(before) && isDeepStrictEqual(before.spec, object.spec)) return pass();

  const off = programsOff(namespace, allowedNamespaces);
  if (off !== undefined) return pass(`no pod gets it: ${off}`);
  try {
    readProgram(name, object.spec);
  } catch (error) {
    const problem = (error as Error).message;
    return { review: answerReview(request, { refusal: problem }), namespace, name, problem };
  }
  return pass();
}
