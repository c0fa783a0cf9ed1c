import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LabelSpec, parseLabel } from '../../../../sidecar/contract/label-spec.ts';
import { chainDecoders } from '../../../../sidecar/series/decoders/index.ts';

const context = { containerName: String, wantsContainer: () => true, generation: () => 0 };
const options: Record<string, object> = {
  kernel_enum: { enum: 'bpf_map_type' },
  kstack_id: { map: 'stacks' },
  regexp: { regexps: ['.*'] },
  static_map: { static_map: { 1: 'one' } },
};
const decoder = (name: string) => ({ name, ...options[name] });

/** The names that a spec may give, as the message about another one tells them. */
function decoderNames(): string[] {
  try {
    parseLabel({ name: 'a', size: 8, decoders: [{ name: '' }] }, 'label');
  } catch (error) {
    return /one of (.*), not ""$/.exec((error as Error).message)![1]!.split(', ');
  }
  throw new Error('a decoder without a name was accepted');
}

/** A label with these decoders, or undefined when that is refused. */
function accepted(size: number, decoders: string[]): LabelSpec | undefined {
  try {
    return parseLabel({ name: 'a', size, decoders: decoders.map(decoder) }, 'label');
  } catch {
    return undefined;
  }
}

test('every chain of decoders that a spec may have reads any key', () => {
  const names = decoderNames();
  const chains = [...names.map((name) => [name]), ...names.flatMap((a) => names.map((b) => [a, b]))];
  const used = new Set<string>();
  for (const size of [1, 2, 3, 4, 5, 8, 16, 20, 16_384])
    for (const chain of chains) {
      const label = accepted(size, chain);
      if (label === undefined) continue;
      for (const name of chain) used.add(name);
      const decode = chainDecoders(label.decoders, context);
      for (const byte of [0x00, 0x01, 0x2e, 0x80, 0xff])
        assert.equal(typeof decode(Buffer.alloc(size, byte)), 'string', `${chain} of ${size} bytes`);
    }
  assert.deepEqual([...used].sort(), names);
});

test('decoders of bytes come first, those of numbers after uint, each with the sizes that it reads', () => {
  const table: [size: number, chain: string[], accepted: boolean][] = [
    [8, ['ksym'], true],
    [4, ['ksym'], false],
    [8, ['uint', 'ksym'], false],
    [4, ['majorminor'], true],
    [8, ['majorminor'], true],
    [2, ['majorminor'], false],
    [4, ['uint', 'majorminor'], false],
    [20, ['endpoint'], true],
    [16, ['endpoint'], false],
    [128, ['dname'], true],
    [128, ['string', 'dname'], true],
    ...['kernel_enum', 'pci_class', 'pci_device', 'pci_subclass', 'pci_vendor'].flatMap(
      (name): [number, string[], boolean][] => [
        [4, ['uint', name], true],
        [4, [name], false],
        [4, ['string', name], false],
      ],
    ),
  ];
  for (const [size, chain, expected] of table)
    assert.equal(accepted(size, chain) !== undefined, expected, `${chain} of ${size} bytes`);
});
