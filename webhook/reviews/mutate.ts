import type { Log } from '../../sidecar/contract/log.ts';
import { type AdmissionConfig, admit, type LabelsOf, type ProgramsOf } from '../admission/admit.ts';
import { skipReasons } from '../admission/reasons.ts';
import { eventSubject } from '../admission/subject.ts';
import type { Report } from '../kubernetes/events.ts';
import type { Metrics } from '../metrics.ts';
import type { Answer } from '../server.ts';

export interface MutateOptions {
  config: AdmissionConfig;
  /** Left out where there is no API server to ask. */
  labelsOf?: LabelsOf;
  programsOf?: ProgramsOf;
  metrics: Pick<Metrics, 'admissions'>;
  log: Log;
  /** Likewise. */
  report?: Report;
}

/**
 * Admission of pods with its effects: every decision is counted and logged, and there is an Event on the owner of a
 * pod that gets no sidecar and should, unless the request is a dry run.
 */
export function createMutate({ config, labelsOf, programsOf, metrics, log, report }: MutateOptions): Answer {
  return (body) => {
    const admission = admit(body, config, labelsOf, programsOf);
    if ('problem' in admission) return admission;
    const { review, request, result, reason, messages } = admission;
    const grave = reason !== '' && skipReasons[reason].warn;
    metrics.admissions.inc({ result, reason });
    log(grave ? 'warn' : 'info', 'admission', {
      namespace: request.namespace,
      pod: request.name,
      uid: request.uid,
      ...(request.dryRun && { dryRun: true }),
      result,
      reason,
      messages,
    });
    const about = grave && !request.dryRun && eventSubject(request);
    if (about)
      report?.({
        about,
        type: 'Warning',
        reason: result === 'refused' ? 'PodRefused' : 'SidecarNotInjected',
        message: `${reason}: ${messages.join('; ')}`,
      });
    return { review };
  };
}
