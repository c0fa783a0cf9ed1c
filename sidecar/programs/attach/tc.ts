import type { Program } from '../../libbpf/object.ts';
import { AttachType, ProgramType } from '../../libbpf/types.ts';
import type { AttachFamily } from './family.ts';
import { attachToInterfaces } from './pod-interfaces.ts';

const { tcxIngress, tcxEgress } = AttachType;

/**
 * `tcx/ingress` and `tcx/egress`, also written `tc/…` and `classifier/…`, which without a direction are on both: packets
 * on the pod's interfaces, those of scrapes among them. What the program returns decides about the packet. Through
 * tcx, before Linux 6.6 as filters.
 */
export const tc: AttachFamily = {
  accepts: ({ type }) => type === ProgramType.schedCls,
  attach: (program, pod) => attachToInterfaces(program, pod, directionsOf(program)),
};

function directionsOf({ name, section }: Program): number[] {
  const [, direction] = section.split('/');
  if (direction === undefined) return [tcxIngress, tcxEgress];
  if (direction === 'ingress') return [tcxIngress];
  if (direction === 'egress') return [tcxEgress];
  throw new Error(`program ${name}: section "${section}" must end with /ingress or /egress`);
}
