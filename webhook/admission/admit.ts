import type { WebhookConfig } from '../config-file.ts';
import type { NamespacePrograms } from '../programs/resolve.ts';
import { type Decision, decide } from './decide.ts';
import { identityOf } from './identity.ts';
import type { NamespaceLabels } from './namespace.ts';
import { patchOf } from './patch.ts';
import { isMistake, type Skip, type SkipReason, skip, warningsOf } from './reasons.ts';
import {
  type AdmissionRequest,
  type AdmissionReview,
  answerReview,
  readReview,
  reviewVersion,
} from './review.ts';

export type AdmissionConfig = Pick<WebhookConfig, 'sidecar' | 'invalidAnnotations'>;

/** What is known of a namespace, by its name. */
export type LabelsOf = (namespace: string) => NamespaceLabels;

/** The BPF resources of a namespace, by its name; undefined where there are none for anybody. */
export type ProgramsOf = (namespace: string) => NamespacePrograms | undefined;

export interface Admission {
  review: AdmissionReview;
  request: AdmissionRequest;
  result: 'injected' | 'skipped' | 'refused';
  /** Empty where the sidecar was injected. */
  reason: SkipReason | '';
  messages: string[];
}

/**
 * Answers one AdmissionReview of a pod. The pod is admitted, the application comes first: with the sidecar, or
 * without and, where somebody should know, with a warning. Only one with a mistake in its annotations may be
 * refused, if the administrator wants that. Returns a sentence when there is no review to answer. Pure.
 */
export function admit(
  body: unknown,
  { sidecar, invalidAnnotations }: AdmissionConfig,
  labelsOf: LabelsOf = () => ({}),
  programsOf: ProgramsOf = () => undefined,
): Admission | { problem: string } {
  const request = readReview(body);
  if ('problem' in request) return request;
  const { namespace } = request;
  const decision =
    misdirected(request) ?? decide(request.object, sidecar, labelsOf(namespace), programsOf(namespace));
  const refused = !decision.inject && isMistake(decision.reason) && invalidAnnotations === 'refuse';
  const result = decision.inject ? 'injected' : refused ? 'refused' : 'skipped';
  const reason = decision.inject ? '' : decision.reason;
  const messages = decision.inject ? decision.notes : decision.messages;
  const review = answerReview(request, {
    patch: refused ? [] : patchOf(decision, sidecar.version, identityOf(request.uid)),
    warnings: refused ? [] : warnings(decision),
    refusal: refused ? `bpf-sidecar (${reason}): ${messages.join('; ')}` : undefined,
    // The API server asks again after other webhooks, and complains in its log when an audit annotation changes.
    ...(reason !== 'already-injected' && {
      audit: { result, ...(reason !== '' && { reason }), version: sidecar.version },
    }),
  });
  return { review, request, result, reason, messages };
}

function warnings(decision: Decision): string[] {
  return decision.inject ? decision.notes.map((note) => `bpf-sidecar: ${note}`) : warningsOf(decision);
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
