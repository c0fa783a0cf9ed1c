import { existsSync } from 'node:fs';
import { readLines } from '../../read-lines.ts';

/** Names of the PCI ID database (https://pci-ids.ucw.cz), by number. */
export interface PciIds {
  vendors: ReadonlyMap<number, string>;
  /** By vendor << 16 | device. */
  devices: ReadonlyMap<number, string>;
  classes: ReadonlyMap<number, string>;
  /** By class << 8 | subclass. */
  subclasses: ReadonlyMap<number, string>;
}

/** Where distributions put the database. */
export const pciIdsPaths = ['/usr/share/misc/pci.ids', '/usr/share/hwdata/pci.ids'];

/** Several times the size of the database. */
const maxBytes = 8 * 1024 * 1024;

/** `8086  Intel`, `C 02  Network controller`, and with a tab before, what belongs to the last of these. */
const shape = /^(C |\t)?([0-9a-f]{4}|[0-9a-f]{2}) {2}(.+)$/;

/** Reads the first of the files that exists; undefined when none does, or when it cannot be read. */
export function readPciIds(paths: readonly string[]): PciIds | undefined {
  const path = paths.find((candidate) => existsSync(candidate));
  if (path === undefined) return undefined;
  try {
    return parsePciIds(readLines(path, maxBytes));
  } catch {
    return undefined;
  }
}

function parsePciIds(lines: Iterable<string>): PciIds {
  const [vendors, devices, classes, subclasses] = [0, 0, 0, 0].map(() => new Map<number, string>());
  let parent = { members: devices!, firstMember: 0 };
  for (const line of lines) {
    const [, lead, digits, name] = shape.exec(line) ?? [];
    if (name === undefined) continue;
    const id = Number(`0x${digits}`);
    if (lead === '\t') {
      parent.members.set(parent.firstMember + id, name);
    } else if (lead === 'C ') {
      classes!.set(id, name);
      parent = { members: subclasses!, firstMember: id * 2 ** 8 };
    } else {
      vendors!.set(id, name);
      parent = { members: devices!, firstMember: id * 2 ** 16 };
    }
  }
  return { vendors: vendors!, devices: devices!, classes: classes!, subclasses: subclasses! };
}
