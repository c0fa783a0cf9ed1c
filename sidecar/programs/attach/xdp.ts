import { AttachType, ProgramType } from '../../libbpf/types.ts';
import type { AttachFamily } from './family.ts';
import { attachToInterfaces } from './pod-interfaces.ts';

/**
 * `xdp`: packets as they come to the pod's interfaces, those of scrapes among them. What the program returns decides
 * about the packet. An interface has room for one.
 */
export const xdp: AttachFamily = {
  accepts: ({ type, section }) => type === ProgramType.xdp && !section.includes('map'),
  attach: (program, pod) => attachToInterfaces(program, pod, [AttachType.xdp]),
};
