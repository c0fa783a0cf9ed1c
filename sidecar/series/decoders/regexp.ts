import type { DecoderSpec } from '../../contract/label-spec.ts';
import { asText, type Decoder } from './decoder.ts';

type RegexpSpec = Extract<DecoderSpec, { name: 'regexp' }>;

/** Lets text through that matches one of the expressions, and drops the entry otherwise. */
export function createRegexp(spec: RegexpSpec): Decoder {
  const regexps = spec.regexps.map((source) => new RegExp(source, 'u'));
  return (input) => {
    const text = asText(input);
    return regexps.some((regexp) => regexp.test(text)) ? text : undefined;
  };
}
