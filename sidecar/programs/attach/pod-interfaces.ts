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

/** Puts a program itself on each interface of the pod but the loopback; `types` are attach types. */
export function attachToInterfaces(program: Program, pod: PodCgroup, types: readonly number[]): Attachment {
  requireOwnNetwork(program, pod);
  const wanted = interfaces().filter(({ index }) => index !== LOOPBACK_IFINDEX);
  if (wanted.length === 0)
    throw new Error(`program ${program.name}: the pod has no network interface but the loopback`);
  const links: Link[] = [];
  try {
    for (const { index, name } of wanted)
      for (const type of types) links.push(attachInterface(program, type, index, name));
  } catch (error) {
    joinLinks(links).close();
    throw error;
  }
  return { detach: joinLinks(links).close };
}
