import { attachInterface, type Link } from '../../libbpf/link.ts';
import type { Program } from '../../libbpf/object.ts';
import type { PodCgroup } from '../../pod/cgroups.ts';
import { interfaces } from '../../pod/interfaces.ts';
import type { Attachment } from './family.ts';
import { joinLinks } from './join.ts';

/** The loopback is the first interface of every network namespace. */
const LOOPBACK_IFINDEX = 1;

/**
 * Throws an Error where the packets in the network namespace are not the pod's alone.
 */
export function requireOwnNetwork(program: Program, pod: PodCgroup): void {
  if (pod.onHostNetwork)
    throw new Error(
      `program ${program.name}: the pod is on its node's network (hostNetwork), where SEC("${program.section}") would see the packets of others; write SEC("cgroup_skb/ingress") or /egress`,
    );
}

/** Of programs on packets in the network namespace, where nothing tells whose a packet is. */
export const ownPackets = "it sees the sidecar's own packets too, those of scrapes";

/** Puts a program itself on an interface of the pod, or on each but the loopback; `types` are attach types. */
export function attachToInterfaces(
  program: Program,
  pod: PodCgroup,
  types: readonly number[],
  device?: string,
): Attachment {
  requireOwnNetwork(program, pod);
  const all = interfaces();
  const wanted = all.filter(({ index, name }) =>
    device === undefined ? index !== LOOPBACK_IFINDEX : name === device,
  );
  if (wanted.length === 0) {
    const names = all.map(({ name }) => name).join(', ');
    const which = device === undefined ? 'but the loopback' : `${device}; it has ${names}`;
    throw new Error(`program ${program.name}: the pod has no network interface ${which}`);
  }
  const links: Link[] = [];
  try {
    for (const { index, name } of wanted)
      for (const type of types) links.push(attachInterface(program, type, index, name));
  } catch (error) {
    joinLinks(links).close();
    throw error;
  }
  return { detach: joinLinks(links).close, remark: ownPackets };
}
