import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { readKernelSymbols } from '../../../../sidecar/series/decoders/kernel-symbols.ts';
import { createKsym } from '../../../../sidecar/series/decoders/ksym.ts';
import { decode } from './decode.ts';
import { withFile } from './temporary-file.ts';

/** An address as it lies in a key. */
const bytes = (address: string) => Buffer.from(address, 'hex').reverse();

const kallsyms = `\
ffffffff81000000 T _stext
ffffffff81000000 T _text
ffffffff81000100 t __pfx_do_work
ffffffff81000110 t do_work
ffffffff82000000 D jiffies
ffffffff82000000 W weak_alias
ffffffffc0403000 t later_in_module\t[wireguard]
ffffffffc0401000 T earlier_in_module\t[wireguard]
ffffffffc0201000 t bpf_prog_6deef7357e7b4530_count\t[bpf]
`;

test('ksym names the function that begins at an address', () => {
  const ksym = withFile(kallsyms, (path) => {
    const symbols = readKernelSymbols(path);
    return createKsym(() => symbols);
  });
  const table = [
    ['ffffffff81000000', '_stext'],
    ['ffffffff81000110', 'do_work'],
    ['ffffffff82000000', 'weak_alias'],
    ['ffffffffc0403000', 'later_in_module'],
    ['ffffffffc0401000', 'earlier_in_module'],
    ['ffffffffc0201000', 'bpf_prog_6deef7357e7b4530_count'],
    ['ffffffff81000100', 'unknown_addr:0xffffffff81000100'],
    ['ffffffff81000111', 'unknown_addr:0xffffffff81000111'],
    ['ffffffffffffffff', 'unknown_addr:0xffffffffffffffff'],
    ['0000000000000000', 'unknown_addr:0x0'],
  ] as const;
  for (const [address, name] of table) assert.equal(ksym(bytes(address)), name);
});

test('ksym gives addresses where the kernel hides them or has no symbols', () => {
  const hidden = kallsyms.replace(/^\w{16}/gm, '0'.repeat(16));
  for (const symbols of [withFile(hidden, readKernelSymbols), readKernelSymbols('/no/such/file')]) {
    const ksym = createKsym(() => symbols);
    assert.equal(ksym(bytes('ffffffff81000110')), 'unknown_addr:0xffffffff81000110');
    assert.equal(ksym(bytes('0000000000000000')), 'unknown_addr:0x0');
  }
});

test('ksym names every function of the running kernel', (t) => {
  const names = new Map<string, string[]>();
  for (const [, address, name] of readFileSync('/proc/kallsyms', 'utf8').matchAll(/^(\w+) [tTwW] (\S+)/gm))
    names.set(address!, [...(names.get(address!) ?? []), name!]);
  if (names.size < 2) return t.skip('this kernel hides its addresses: kernel.kptr_restrict is 2');
  for (const [address, aliases] of names) {
    const expected = aliases.find((name) => !name.startsWith('__pfx_')) ?? `unknown_addr:0x${address}`;
    assert.equal(decode(bytes(address).toString('hex'), 'ksym'), expected);
  }
});
