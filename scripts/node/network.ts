import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** The names and addresses of one pod's network: a veth pair from the host into a network namespace. */
export interface Network {
  namespace: string;
  hostInterface: string;
  hostAddress: string;
  podAddress: string;
}

/**
 * The network of the pod in a slot (0 to 32767). Addresses come from 198.18.0.0/15, which RFC 2544 sets
 * aside for tests on one's own machines, four to a pod.
 */
export function networkOf(slot: number): Network {
  const address = (offset: number) => {
    const number = slot * 4 + offset;
    return `198.${18 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
  };
  return {
    namespace: `bpf-sidecar-${slot}`,
    hostInterface: `bpfsc-${slot}`,
    hostAddress: address(1),
    podAddress: address(2),
  };
}

/** Makes the namespace and the pair. No IPv6 link-local addresses: the pod's packets are then only its own. */
export function makeNetwork(network: Network): void {
  ip(
    `netns add ${network.namespace}`,
    `link add ${network.hostInterface} type veth peer name eth0 netns ${network.namespace}`,
    `link set ${network.hostInterface} addrgenmode none`,
    `address add ${network.hostAddress}/30 dev ${network.hostInterface}`,
    `link set ${network.hostInterface} up`,
  );
  ipBy(
    ['ip', '-netns', network.namespace],
    'link set lo up',
    'link set eth0 addrgenmode none',
    `address add ${network.podAddress}/30 dev eth0`,
    'link set eth0 up',
    `route add default via ${network.hostAddress}`,
  );
}

export function removeNetwork(network: Network): void {
  // The link goes first: with its namespace it would go only some time later.
  if (existsSync(`/sys/class/net/${network.hostInterface}`)) ip(`link delete ${network.hostInterface}`);
  if (existsSync(namespaceFile(network))) ip(`netns delete ${network.namespace}`);
}

export function namespaceFile(network: Network): string {
  return `/run/netns/${network.namespace}`;
}

/** Runs commands of ip(8), in one batch. */
export function ip(...commands: string[]): void {
  ipBy(['ip'], ...commands);
}

/** The same where `command` is what runs it, in another namespace say. */
export function ipBy([program, ...argv]: readonly string[], ...commands: string[]): void {
  const result = spawnSync(program!, [...argv, '-batch', '-'], {
    input: commands.join('\n'),
    encoding: 'utf8',
  });
  if (result.error) throw new Error(`cannot run ip, of the package iproute2: ${result.error.message}`);
  if (result.status !== 0)
    throw new Error(`ip could not set up the network: ${result.stderr.trim().slice(0, 500)}`);
}
