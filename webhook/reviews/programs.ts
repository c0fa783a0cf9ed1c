import type { Log } from '../../sidecar/contract/log.ts';
import { validate } from '../programs/validate.ts';
import type { Answer } from '../server.ts';

/** The validation of `BPF` resources with its effect: what is refused is logged. */
export function createProgramCheck(allowedNamespaces: readonly string[], log: Log): Answer {
  return (body) => {
    const validation = validate(body, allowedNamespaces);
    if (!('review' in validation)) return validation;
    const { review, namespace, name, problem } = validation;
    if (problem !== undefined) log('warn', 'BPF resource refused', { namespace, name, problem });
    return { review };
  };
}
