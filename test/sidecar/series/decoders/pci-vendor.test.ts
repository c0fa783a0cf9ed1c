import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPciVendor } from '../../../../sidecar/series/decoders/pci-vendor.ts';
import { noPciIds, pciIds } from './pci-database.ts';

test('pci_vendor names vendors and marks unknown ones', () => {
  const decode = createPciVendor(() => pciIds);
  const table = [
    [0x8086, 'Intel Corporation'],
    [0x0e11, 'Compaq Computer Corporation'],
    [0xffff, 'Illegal Vendor ID'],
    [0x1f41, 'unknown pci vendor: 0x1f41'],
    [0x02, 'unknown pci vendor: 0x0002'],
    [0xdeadbeef, 'unknown pci vendor: 0xdeadbeef'],
  ] as const;
  for (const [number, name] of table) assert.equal(decode(String(number)), name);
});

test('pci_vendor says that there is no database', () => {
  assert.equal(createPciVendor(() => noPciIds)('32902'), 'missing pci.ids db');
});
