import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPciDevice } from '../../../../sidecar/series/decoders/pci-device.ts';
import { noPciIds, pciIds } from './pci-database.ts';

test('pci_device names devices of a vendor and marks unknown ones', () => {
  const decode = createPciDevice(() => pciIds);
  const table = [
    [0x80861000, '82542 Gigabit Ethernet Controller (Fiber)'],
    [0x80861f41, 'Ethernet Connection I354'],
    [0x0e11a0f3, 'Triflex PCI to ISA Bridge'],
    [0x80860e11, 'unknown pci device: 0x80860e11'],
    [0x0e111000, 'unknown pci device: 0x0e111000'],
    [0xffff0005, 'unknown pci device: 0xffff0005'],
  ] as const;
  for (const [number, name] of table) assert.equal(decode(String(number)), name);
});

test('pci_device says that there is no database', () => {
  assert.equal(createPciDevice(() => noPciIds)('2156269568'), 'missing pci.ids db');
});
