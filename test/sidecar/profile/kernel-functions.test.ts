import assert from 'node:assert/strict';
import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { nameKernelFunctions } from '../../../sidecar/profile/kernel-functions.ts';
import { readKernelSymbols } from '../../../sidecar/series/decoders/kernel-symbols.ts';

/** A module's functions come after the kernel's, whatever their addresses. */
const symbols = `ffffffff81000000 T _text
ffffffff81000000 T startup
ffffffff81000100 t first
ffffffff81000180 d data
ffffffff81000200 T second
ffffffffc0000100 t late	[module]
ffffffff80000100 t early	[other]
`;

function open(t: TestContext, text: string): number {
  const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-test-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'kallsyms');
  writeFileSync(path, text);
  return openSync(path, 'r');
}

for (const [address, name] of [
  [0xffffffff80000000n, undefined],
  [0xffffffff80000100n, 'early'],
  [0xffffffff81000000n, '_text'],
  [0xffffffff810000ffn, '_text'],
  [0xffffffff81000100n, 'first'],
  [0xffffffff81000190n, 'first'],
  [0xffffffffbfffffffn, 'second'],
  [0xffffffffc0000fffn, 'late'],
] as const)
  test(`address ${address.toString(16)} is in ${name ?? 'no function'}`, async (t) => {
    const names = await nameKernelFunctions(open(t, symbols), [address]);
    assert.equal(names.get(address), name);
  });

test('many addresses are named at once, in any order, also twice', async (t) => {
  const addresses = [0xffffffff81000201n, 0xffffffff81000001n, 0xffffffff81000201n, 0xffffffff81000202n];
  const names = await nameKernelFunctions(open(t, symbols), addresses);
  assert.deepEqual(
    addresses.map((address) => names.get(address)),
    ['second', '_text', 'second', 'second'],
  );
});

test('a kernel that hides its addresses names none', async (t) => {
  const names = await nameKernelFunctions(open(t, symbols.replace(/^f\w+/gm, '0000000000000000')), [1n, 2n]);
  assert.equal(names.size, 0);
});

test("this kernel's functions are those that the decoders know", async () => {
  const all = readKernelSymbols('/proc/kallsyms');
  const addresses = Array.from({ length: 1000 }, (_, index) => 0xffffffff81000000n + BigInt(index * 10_007));
  const names = await nameKernelFunctions(openSync('/proc/kallsyms', 'r'), addresses);
  assert.deepEqual(
    addresses.map((address) => names.get(address)),
    addresses.map(all.around),
  );
});
