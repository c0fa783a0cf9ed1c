import type { InjectionConfig } from '../config.ts';
import { decide } from './decide.ts';
import { buildPatch } from './patch.ts';
import { type Skip, type SkipReason, skip, skipReasons } from './reasons.ts';
import {
  type AdmissionRequest,
  type AdmissionReview,
  answerReview,
  readReview,
  reviewVersion,
} from './review.ts';

export interface Admission {
  review: AdmissionReview;
  request: AdmissionRequest;
  /** Empty where the sidecar was injected. */
  reason: SkipReason | '';
  messages: string[];
}

/**
 * Answers one AdmissionReview. The pod is always admitted, the application comes first: with the sidecar, or
 * without and, where somebody should know, with a warning. Returns a sentence when there is no review to
 * answer. Pure.
 */
export function admit(body: unknown, config: InjectionConfig): Admission | { problem: string } {
  const request = readReview(body);
  if ('problem' in request) return request;
  const decision = misdirected(request) ?? decide(request.object, config);
  if (decision.inject) {
    const patch = buildPatch(decision.pod, decision.sidecar, config.version);
    return { review: answerReview(request, patch, []), request, reason: '', messages: [] };
  }
  const { reason, messages } = decision;
  const warnings = skipReasons[reason].warn
    ? messages.map((message) => `no bpf-sidecar (${reason}): ${message}`)
    : [];
  return { review: answerReview(request, [], warnings), request, reason, messages };
}

/** A request that is not for this webhook: it was registered for more than the creation of pods. */
function misdirected({ apiVersion, kind, operation, object }: AdmissionRequest): Skip | undefined {
  if (apiVersion !== reviewVersion)
    return skip('unsupported-version', `the AdmissionReview must be of ${reviewVersion}`);
  if (kind !== '/v1/Pod') return skip('not-a-pod', 'the webhook must be registered for v1 pods only');
  if (operation !== 'CREATE')
    return skip('unsupported-operation', 'the webhook must be registered for the operation CREATE only');
  if (object === undefined || object === null)
    return skip('malformed-pod', 'request.object must hold the pod');
  return undefined;
}
