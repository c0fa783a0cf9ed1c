import type { DecoderSpec } from '../../contract/label-spec.ts';
import { compileRegexp } from '../../contract/regexp.ts';
import { asText, type Decoder } from './decoder.ts';

type RegexpSpec = Extract<DecoderSpec, { name: 'regexp' }>;

/** Lets text through in which one of the expressions is found, and drops the entry otherwise. */
export function createRegexp(spec: RegexpSpec): Decoder {
  const regexps = spec.regexps.map(compileRegexp);
  return (input) => {
    const text = asText(input);
    return regexps.some((matches) => matches(text)) ? text : undefined;
  };
}
