import type { DecoderSpec } from '../../contract/label-spec.ts';
import { compileRegexp } from '../../contract/regexp.ts';
import { asText, type Decoder } from './decoder.ts';

type RegexpSpec = Extract<DecoderSpec, { name: 'regexp' }>;

/** What the first expression that gives something finds in the text; drops the entry when none does. */
export function createRegexp(spec: RegexpSpec): Decoder {
  const regexps = spec.regexps.map(compileRegexp);
  return (input) => {
    const text = asText(input);
    for (const { extract } of regexps) {
      const found = extract(text);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}
