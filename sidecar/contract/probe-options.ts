import { isIP } from 'node:net';
import type { builtinProbes } from './probes.ts';

/** An option of a probe that a pod may set. */
export type OptionSpec =
  /**
   * A whole number, which the program finds in its constant `option_<name>`. Where it has a `label`, that has no more different
   * values than the number; with 0, which it is when it is not set, series go without the label.
   */
  | { kind: 'number'; min: number; max: number; label?: string }
  /**
   * Networks in CIDR notation, joined by `+`, which the program finds in its LPM trie `option_<name>`, and how many there are
   * in its constant `option_<name>_count`.
   */
  | { kind: 'networks'; most: number };

export type OptionValue = number | readonly string[];
/** The options that are set, by probe and name. */
export type ProbeOptions = Readonly<Record<string, Readonly<Record<string, OptionValue>>>>;
type OptionTable = Partial<Record<(typeof builtinProbes)[number], Readonly<Record<string, OptionSpec>>>>;

/** Every option that there is. */
export const probeOptions: OptionTable = {
  dns: { domains: { kind: 'number', min: 0, max: 1000, label: 'dns_question_name' } },
  security: { known: { kind: 'networks', most: 64 } },
};

/** The labels of a probe that options bound, and how many different values each may have. */
export function labelBounds(probe: string, set: ProbeOptions[string]): ReadonlyMap<string, number> {
  const specs = Object.hasOwn(probeOptions, probe) ? probeOptions[probe as keyof OptionTable]! : {};
  return new Map(
    Object.entries(specs).flatMap(([name, spec]): [string, number][] =>
      spec.kind === 'number' && spec.label !== undefined ? [[spec.label, Number(set[name] ?? 0)]] : [],
    ),
  );
}

/**
 * Reads `bpf.sh/probe-options`: `probe.option=value`, separated by commas. Returns why it cannot when something is wrong with
 * it.
 */
export function readProbeOptions(text: string, table: OptionTable = probeOptions): ProbeOptions | string {
  const options: Record<string, Record<string, OptionValue>> = {};
  for (const item of text.split(',').map((part) => part.trim())) {
    if (item === '') continue;
    const [, probe = '', name = '', value = ''] = /^([^.=]+)\.([^=]+)=(.*)$/.exec(item) ?? [];
    const ofProbe = Object.hasOwn(table, probe) ? table[probe as keyof OptionTable] : undefined;
    const spec = ofProbe && Object.hasOwn(ofProbe, name) ? ofProbe[name] : undefined;
    if (spec === undefined) return `${quote(item)} is no option; ${allowedOptions(table)}`;
    const read = readValue(value, spec);
    if (read === undefined) return `${quote(item)}: the value must be ${describe(spec)}`;
    if (options[probe] && Object.hasOwn(options[probe], name)) return `${probe}.${name} is there twice`;
    options[probe] = { ...options[probe], [name]: read };
  }
  return options;
}

function allowedOptions(table: OptionTable): string {
  const options = Object.entries(table).flatMap(([probe, names]) =>
    Object.entries(names).map(([name, spec]) => `${probe}.${name}=<${describe(spec)}>`),
  );
  return options.length === 0 ? 'no probe has any' : `allowed are ${options.join(', ')}`;
}

function describe(spec: OptionSpec): string {
  return spec.kind === 'number'
    ? `a whole number from ${spec.min} to ${spec.max}`
    : `1 to ${spec.most} networks joined by +, such as 10.0.0.0/8+2001:db8::/32`;
}

function readValue(text: string, spec: OptionSpec): OptionValue | undefined {
  if (spec.kind === 'number') {
    const number = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
    return number >= spec.min && number <= spec.max ? number : undefined;
  }
  const networks = text.split('+');
  return networks.length <= spec.most && networks.every(isNetwork) ? networks : undefined;
}

function isNetwork(text: string): boolean {
  const [, address = '', bits = ''] = /^([0-9a-fA-F.:]+)\/([0-9]{1,3})$/.exec(text) ?? [];
  const family = isIP(address);
  return family !== 0 && Number(bits) <= (family === 4 ? 32 : 128);
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
