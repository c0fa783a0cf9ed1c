import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPciSubclass } from '../../../../sidecar/series/decoders/pci-subclass.ts';
import { noPciIds, pciIds } from './pci-database.ts';

test('pci_subclass names subclasses of a class and marks unknown ones', () => {
  const decode = createPciSubclass(() => pciIds);
  const table = [
    [0x0005, 'Image coprocessor'],
    [0x0108, 'Non-Volatile memory controller'],
    [0x0200, 'Ethernet controller'],
    [0x0102, 'unknown pci subclass: 0x02 (class 0x01)'],
    [0x0003, 'unknown pci subclass: 0x03 (class 0x00)'],
    [0xfd00, 'unknown pci class: 0xfd'],
  ] as const;
  for (const [number, name] of table) assert.equal(decode(String(number)), name);
});

test('pci_subclass says that there is no database', () => {
  assert.equal(createPciSubclass(() => noPciIds)('512'), 'missing pci.ids db');
});
