import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPciClass } from '../../../../sidecar/series/decoders/pci-class.ts';
import { noPciIds, pciIds } from './pci-database.ts';

test('pci_class names classes and marks unknown ones', () => {
  const decode = createPciClass(() => pciIds);
  const table = [
    [0x00, 'Unclassified device'],
    [0x01, 'Mass storage controller'],
    [0x02, 'Network controller'],
    [0x08, 'unknown pci class: 0x08'],
    [0xfd, 'unknown pci class: 0xfd'],
  ] as const;
  for (const [number, name] of table) assert.equal(decode(String(number)), name);
});

test('pci_class says that there is no database', () => {
  assert.equal(createPciClass(() => noPciIds)('1'), 'missing pci.ids db');
});
