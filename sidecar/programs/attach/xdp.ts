import { AttachType, ProgramType } from '../../libbpf/types.ts';
import type { AttachFamily } from './family.ts';
import { attachToInterfaces } from './pod-interfaces.ts';

/** Programs that another one calls for the entries of a map. */
const ofMaps = /\/(dev|cpu)map$/;

/**
 * `xdp` and `xdp/<interface>`: packets as they come to the pod's interfaces, or one of them, those of scrapes among them.
 * What the program returns decides about the packet. An interface has room for one.
 */
export const xdp: AttachFamily = {
  accepts: ({ type, section }) => type === ProgramType.xdp && !ofMaps.test(section),
  attach: (program, pod) => attachToInterfaces(program, pod, [AttachType.xdp], program.section.split('/')[1]),
};
