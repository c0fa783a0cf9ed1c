import { anyMapping, boolean, fail, integer, list, mapping, oneOf, shaped, text } from './checks.ts';

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
}

const decoderNames = [
  'cgroup',
  'dname',
  'errno',
  'hex',
  'ifname',
  'inet_ip',
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
  | { name: Exclude<DecoderName, 'static_map' | 'regexp'> }
  | { name: 'static_map'; staticMap: ReadonlyMap<string, string>; allowUnknown: boolean }
  | { name: 'regexp'; regexps: string[] };

const limits = {
  size: 512,
  decoders: [1, 8],
  staticMapEntries: 1000,
  staticMapText: 128,
  regexps: [1, 32],
  regexpLength: 256,
} as const;

/** Set on every series by the sidecar, or part of the exposition formats. */
const reserved = ['namespace', 'pod', 'node', 'le', 'quantile'];

const nameShape = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]{0,127}$/;

/** Checks a label of a metric; see checks.ts for `at` and errors. */
export function parseLabel(value: unknown, at: string): LabelSpec {
  const fields = mapping(value, at, ['name', 'size', 'padding', 'decoders']);
  const name = shaped(
    fields.name,
    `${at}.name`,
    nameShape,
    'a label name: up to 128 letters, digits and _, and neither a digit nor __ first',
  );
  if (reserved.includes(name))
    fail(`${at}.name`, `"${name}" is set by the sidecar or the exposition format, choose another label name`);
  const size = integer(fields.size, `${at}.size`, 1, limits.size);
  const decoders = list(fields.decoders, `${at}.decoders`, limits.decoders, decoder);
  checkChain(decoders, size, at);
  return {
    name,
    size,
    padding: fields.padding === undefined ? 0 : integer(fields.padding, `${at}.padding`, 0, limits.size),
    decoders,
  };
}

/** Bytes that a decoder can read, for those that cannot read any number of them. */
const decoderSizes: Partial<Record<DecoderName, number[]>> = {
  cgroup: [8],
  ifname: [4],
  inet_ip: [4, 16],
  ksym: [8],
  majorminor: [4, 8],
  uint: [1, 2, 4, 8],
};
const readsBytes: DecoderName[] = ['hex', 'ifname', 'inet_ip', 'ksym', 'majorminor', 'string', 'uint'];
const readsNumbers: DecoderName[] = [
  'errno',
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
  });
}

const decoderFields: Partial<Record<DecoderName, string[]>> = {
  static_map: ['static_map', 'allow_unknown'],
  regexp: ['regexps'],
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
  if (name === 'regexp')
    return { name, regexps: list(fields.regexps, `${at}.regexps`, limits.regexps, regexp) };
  return { name };
}

function staticMap(value: unknown, at: string): ReadonlyMap<string, string> {
  const entries = Object.entries(anyMapping(value, at));
  if (entries.length === 0 || entries.length > limits.staticMapEntries)
    fail(at, `must have 1 to ${limits.staticMapEntries} entries, not ${entries.length}`);
  return new Map(
    entries.map(([key, to]) => [
      key,
      text(typeof to === 'number' ? String(to) : to, `${at}.${key}`, limits.staticMapText),
    ]),
  );
}

function regexp(value: unknown, at: string): string {
  const source = text(value, at, limits.regexpLength);
  try {
    new RegExp(source, 'u');
  } catch (error) {
    fail(at, `must be a regular expression of JavaScript: ${(error as Error).message}`);
  }
  return source;
}
