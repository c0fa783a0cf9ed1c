import { type MetricSpec, readMetricSpec } from './contract/metric-spec.ts';
import { readObject, readSpec } from './objects.ts';

/** What a probe is made of: the built-in ones and a user's own are the same from here on. */
export interface ProbeSource {
  name: string;
  /** The compiled object. */
  elf: Buffer;
  /** Without it every map that can be read becomes a counter. */
  spec?: MetricSpec;
}

export function builtinProbe(name: string): ProbeSource {
  return { name, elf: readObject(name), spec: readMetricSpec(readSpec(name), `${name}.yaml`) };
}
