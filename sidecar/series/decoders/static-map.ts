import type { DecoderSpec } from '../../contract/label-spec.ts';
import { asText, type Decoder } from './decoder.ts';

type StaticMapSpec = Extract<DecoderSpec, { name: 'static_map' }>;

/** Looks the text up; what is not in the map becomes `unknown:TEXT`, or stays as it is with `allow_unknown`. */
export function createStaticMap({ staticMap, allowUnknown }: StaticMapSpec): Decoder {
  return (input) => {
    const text = asText(input);
    return staticMap.get(text) ?? (allowUnknown ? text : `unknown:${text}`);
  };
}
