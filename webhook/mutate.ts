import type { Log } from '../sidecar/contract/log.ts';
import { admit } from './admission/admit.ts';
import { skipReasons } from './admission/reasons.ts';
import type { InjectionConfig } from './config.ts';
import type { Metrics } from './metrics.ts';
import type { Answer } from './server.ts';

/** Admission with its effects: every decision is counted and logged. */
export function createMutate(config: InjectionConfig, { admissions }: Metrics, log: Log): Answer {
  return (body) => {
    const admission = admit(body, config);
    if ('problem' in admission) return admission;
    const { review, request, reason, messages } = admission;
    const result = reason === '' ? 'injected' : 'skipped';
    admissions.inc({ result, reason });
    log(reason !== '' && skipReasons[reason].warn ? 'warn' : 'info', 'admission', {
      namespace: request.namespace,
      pod: request.name,
      uid: request.uid,
      result,
      reason,
      messages,
    });
    return { review };
  };
}
