import { type PciIds, readPciIds } from '../../../../sidecar/series/decoders/pci-ids.ts';
import { withFile } from './temporary-file.ts';

const text = `\
#
#\tList of PCI ID's
#

0e11  Compaq Computer Corporation
\ta0f3  Triflex PCI to ISA Bridge
8086  Intel Corporation
# a comment between a vendor and its devices
\t1000  82542 Gigabit Ethernet Controller (Fiber)
\t\t0e11 b0df  NC6132 Gigabit Ethernet Controller (1000-SX)
\t1f41  Ethernet Connection I354
ffff  Illegal Vendor ID

# List of known device classes
C 00  Unclassified device
\t05  Image coprocessor
C 01  Mass storage controller
\t08  Non-Volatile memory controller
\t\t02  NVM Express
C 02  Network controller
\t00  Ethernet controller
`;

/** A database of a few entries, one for each shape of line. */
export const pciIds: PciIds = withFile(text, (path) => readPciIds(['/no/such/file', path]))!;

/** Where no file is. */
export const noPciIds = readPciIds(['/no/such/file']);
