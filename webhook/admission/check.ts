import type { AdmissionConfig, LabelsOf, ProgramsOf } from './admit.ts';
import { isMistake, type SkipReason, skipReasons } from './reasons.ts';
import { type AdmissionRequest, type AdmissionReview, answerReview, readReview } from './review.ts';
import { decideWorkload, podPaths } from './workloads.ts';

export interface Check {
  review: AdmissionReview;
  request: AdmissionRequest;
  /** Empty where nobody has to be told anything. */
  reason: SkipReason | '';
  messages: string[];
}

/**
 * Answers the AdmissionReview of a workload: always allows it, and warns when its pods ask for a sidecar that they
 * will not get. Returns a sentence when there is no review to answer. Pure.
 */
export function checkWorkload(
  body: unknown,
  { sidecar, invalidAnnotations }: AdmissionConfig,
  labelsOf: LabelsOf = () => ({}),
  programsOf: ProgramsOf = () => undefined,
): Check | { problem: string } {
  const request = readReview(body);
  if ('problem' in request) return request;
  const path = podPaths.get(request.kind);
  const labels = labelsOf(request.namespace);
  // The pods come later, and so may the labels and the BPF resources.
  const decision =
    path &&
    decideWorkload(
      request.object,
      path,
      sidecar,
      labels === 'unknown' ? {} : labels,
      programsOf(request.namespace),
    );
  if (decision?.inject) return answer(request, '', decision.notes, 'bpf-sidecar');
  if (!decision || decision.reason === 'programs-unknown' || !skipReasons[decision.reason].warn)
    return answer(request, '', [], '');
  const { reason, messages } = decision;
  const refused = isMistake(reason) && invalidAnnotations === 'refuse';
  const fate = refused ? 'pods will be refused' : 'pods will get no bpf-sidecar';
  return answer(request, reason, messages, `${fate} (${reason})`);
}

function answer(
  request: AdmissionRequest,
  reason: SkipReason | '',
  messages: string[],
  heading: string,
): Check {
  const warnings = messages.map((message) => `${heading}: ${message}`);
  return { review: answerReview(request, { warnings }), request, reason, messages };
}
