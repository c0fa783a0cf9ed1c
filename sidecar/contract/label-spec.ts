import { anyMapping, boolean, clip, fail, integer, list, mapping, oneOf, shaped, text } from './checks.ts';
import { compileRegexp } from './regexp.ts';

/** A part of the map's key, in bytes. */
export interface KeyPart {
  size: number;
  /** Unused bytes after it. */
  padding: number;
}

export interface LabelSpec extends KeyPart {
  name: string;
  /** Applied in turn: the first gets the key's bytes, each other the text of the one before. */
  decoders: DecoderSpec[];
  /** How many different values it may have, where an option of the probe says so; with 0 it is left out. */
  maxValues?: number;
}

export const decoderNames = [
  'cgroup',
  'dname',
  'endpoint',
  'errno',
  'hex',
  'ifname',
  'inet_ip',
  'int',
  'kernel_enum',
  'kstack',
  'kstack_id',
  'ksym',
  'majorminor',
  'pci_class',
  'pci_device',
  'pci_subclass',
  'pci_vendor',
  'regexp',
  'static_map',
  'string',
  'syscall',
  'uint',
] as const;
export type DecoderName = (typeof decoderNames)[number];

export type DecoderSpec =
  | { name: Exclude<DecoderName, 'cgroup' | 'uint' | 'static_map' | 'regexp' | 'kernel_enum' | 'kstack_id'> }
  /** With `lowBits` it reads no more than the low 32 of an id. */
  | { name: 'cgroup'; lowBits?: true }
  /** `prefix` is taken off the names of the kernel's enum. */
  | { name: 'kernel_enum'; enum: string; prefix: string }
  /** `map` is the name of the BPF map that has the stacks. */
  | { name: 'kstack_id'; map: string }
  /** Numbers with fewer digits get zeros before them. */
  | { name: 'uint'; digits?: number }
  | { name: 'static_map'; staticMap: ReadonlyMap<string, string>; allowUnknown: boolean }
  | { name: 'regexp'; regexps: string[] };

export const identifierShape = /^[a-zA-Z_][a-zA-Z0-9_]{0,127}$/;

export const labelLimits = {
  /** An event may be as long, and a ring buffer of the usual size holds some. */
  size: 16 * 1024,
  decoders: [1, 8],
  digits: [1, 20],
  staticMapEntries: 1000,
  staticMapText: 128,
  regexps: [1, 32],
  regexpLength: 256,
  skipCacheSize: [0, Number.MAX_SAFE_INTEGER],
} as const;

/** Part of the exposition formats. */
export const reserved = /^(le|quantile)$/;
/** Set on every series by the sidecar. */
const ofSidecar = /^(namespace|pod|node|pod_label_.*)$/;

export const labelNameShape = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]{0,127}$/;

/** Whether a series may not have a label of that name from a map. */
export function isReservedLabel(name: string): boolean {
  return reserved.test(name);
}

/** The name that a label from a map has on its series: as Prometheus does it where the name is that of a label of ours. */
export function exportedName(name: string): string {
  return ofSidecar.test(name) ? `exported_${name}` : name;
}

/** Checks a label of a metric; see checks.ts for `at` and errors. */
export function parseLabel(value: unknown, at: string): LabelSpec {
  const fields = mapping(value, at, ['name', 'size', 'padding', 'decoders']);
  const name = shaped(
    fields.name,
    `${at}.name`,
    labelNameShape,
    'a label name: up to 128 letters, digits and _, and neither a digit nor __ first',
  );
  if (isReservedLabel(name))
    fail(`${at}.name`, `"${name}" is part of the exposition formats, choose another label name`);
  const size = integer(fields.size, `${at}.size`, 1, labelLimits.size);
  const decoders = list(fields.decoders, `${at}.decoders`, labelLimits.decoders, decoder);
  checkChain(decoders, size, at);
  return {
    name: exportedName(name),
    size,
    padding: fields.padding === undefined ? 0 : integer(fields.padding, `${at}.padding`, 0, labelLimits.size),
    decoders: size === decoderSizes.cgroup?.[0] ? decoders.map(withoutHighBits) : decoders,
  };
}

function withoutHighBits(decoder: DecoderSpec): DecoderSpec {
  return decoder.name === 'cgroup' ? { ...decoder, lowBits: true } : decoder;
}

/** Bytes that a decoder can read, for those that cannot read any number of them. */
export const decoderSizes: Partial<Record<DecoderName, number[]>> = {
  cgroup: [4, 8],
  endpoint: [20],
  ifname: [4],
  inet_ip: [4, 16],
  int: [1, 2, 4, 8],
  kstack_id: [4],
  ksym: [8],
  majorminor: [4, 8],
  uint: [1, 2, 4, 8],
};
/** Bytes of an address in what `kstack` reads. */
export const frameSize = 8;
export const readsBytes: DecoderName[] = [
  'endpoint',
  'hex',
  'ifname',
  'inet_ip',
  'int',
  'kstack',
  'kstack_id',
  'ksym',
  'majorminor',
  'string',
  'uint',
];
export const readsNumbers: DecoderName[] = [
  'errno',
  'kernel_enum',
  'pci_class',
  'pci_device',
  'pci_subclass',
  'pci_vendor',
  'syscall',
];

function checkChain(decoders: DecoderSpec[], size: number, at: string): void {
  decoders.forEach(({ name }, index) => {
    const before = decoders[index - 1]?.name;
    const place = `${at}.decoders[${index}].name`;
    if (readsBytes.includes(name) && before !== undefined)
      fail(place, `${name} reads the bytes of the key, so it must be the first decoder`);
    if ((readsNumbers.includes(name) || (name === 'cgroup' && before !== undefined)) && before !== 'uint')
      fail(place, `${name} reads a number, so the decoder before it must be uint`);
    const sizes = decoderSizes[name];
    if (sizes !== undefined && !sizes.includes(size))
      fail(`${at}.size`, `must be one of ${sizes.join(', ')} for the decoder ${name}, not ${size}`);
    if (name === 'kstack' && size % frameSize !== 0)
      fail(`${at}.size`, `must be a multiple of ${frameSize} for the decoder ${name}, not ${size}`);
  });
}

export const decoderFields: Partial<Record<DecoderName, string[]>> = {
  uint: ['digits'],
  static_map: ['static_map', 'allow_unknown'],
  regexp: ['regexps', 'skip_cache_size'],
  kernel_enum: ['enum', 'prefix'],
  kstack_id: ['map'],
};

function decoder(value: unknown, at: string): DecoderSpec {
  const name = oneOf(anyMapping(value, at).name, `${at}.name`, decoderNames);
  const fields = mapping(value, at, ['name', ...(decoderFields[name] ?? [])]);
  if (name === 'static_map')
    return {
      name,
      staticMap: staticMap(fields.static_map, `${at}.static_map`),
      allowUnknown:
        fields.allow_unknown !== undefined && boolean(fields.allow_unknown, `${at}.allow_unknown`),
    };
  if (name === 'uint')
    return {
      name,
      ...(fields.digits !== undefined && {
        digits: integer(fields.digits, `${at}.digits`, ...labelLimits.digits),
      }),
    };
  if (name === 'kernel_enum')
    return {
      name,
      enum: parseIdentifier(fields.enum, `${at}.enum`),
      prefix: fields.prefix === undefined ? '' : parseIdentifier(fields.prefix, `${at}.prefix`),
    };
  if (name === 'kstack_id') return { name, map: parseIdentifier(fields.map, `${at}.map`) };
  if (name === 'regexp') {
    // Tunes a cache of ebpf_exporter's.
    if (fields.skip_cache_size !== undefined)
      integer(fields.skip_cache_size, `${at}.skip_cache_size`, ...labelLimits.skipCacheSize);
    return { name, regexps: parseRegexps(fields.regexps, `${at}.regexps`) };
  }
  return { name };
}

/** The name of something in a program. */
export function parseIdentifier(value: unknown, at: string): string {
  return shaped(value, at, identifierShape, 'a C identifier of at most 128 characters');
}

function staticMap(value: unknown, at: string): ReadonlyMap<string, string> {
  const entries = Object.entries(anyMapping(value, at));
  if (entries.length === 0 || entries.length > labelLimits.staticMapEntries)
    fail(at, `must have 1 to ${labelLimits.staticMapEntries} entries, not ${entries.length}`);
  return new Map(
    entries.map(([key, to]) => [
      key,
      text(
        typeof to === 'number' || typeof to === 'boolean' ? String(to) : to,
        `${at}.${clip(key, labelLimits.staticMapText)}`,
        labelLimits.staticMapText,
      ),
    ]),
  );
}

/** Checks a list of regular expressions in the syntax of RE2. */
export function parseRegexps(value: unknown, at: string): string[] {
  return list(value, at, labelLimits.regexps, (item, itemAt) => {
    const source = text(item, itemAt, labelLimits.regexpLength);
    try {
      compileRegexp(source);
    } catch (error) {
      fail(itemAt, `must be a regular expression in the syntax of RE2: ${(error as Error).message}`);
    }
    return source;
  });
}
