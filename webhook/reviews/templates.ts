import type { Log } from '../../sidecar/contract/log.ts';
import type { AdmissionConfig, LabelsOf, ProgramsOf } from '../admission/admit.ts';
import { checkWorkload } from '../admission/check.ts';
import type { Metrics } from '../metrics.ts';
import type { Answer } from '../server.ts';

export interface CheckOptions {
  config: AdmissionConfig;
  /** Left out where there is no API server to ask. */
  labelsOf?: LabelsOf;
  programsOf?: ProgramsOf;
  metrics: Pick<Metrics, 'templates'>;
  log: Log;
}

/** The check of pod templates with its effects: every one is counted, and what was found is logged. */
export function createTemplateCheck({ config, labelsOf, programsOf, metrics, log }: CheckOptions): Answer {
  return (body) => {
    const check = checkWorkload(body, config, labelsOf, programsOf);
    if ('problem' in check) return check;
    const { review, request, reason, messages } = check;
    metrics.templates.inc({ reason });
    if (reason !== '')
      log('warn', 'template', {
        namespace: request.namespace,
        kind: request.kind,
        name: request.name,
        uid: request.uid,
        reason,
        messages,
      });
    return { review };
  };
}
