import { existsSync, readFileSync } from 'node:fs';
import { mounts } from '../../node/mounts.ts';
import { noTools } from '../tools.ts';

/** Why this machine cannot be a node, or undefined. */
export function whyNoNode(): string | undefined {
  if (noTools !== undefined) return noTools;
  if (process.getuid?.() !== 0) return 'only root can make a node of this machine';
  if (!mounts().some(({ type }) => type === 'cgroup2'))
    return 'no cgroup v2 hierarchy is mounted on this machine; boot it with systemd.unified_cgroup_hierarchy=1';
  if (!existsSync('/sys/kernel/btf/vmlinux'))
    return 'the kernel of this machine does not tell its types: it has no BTF';
  const fileSystems = readFileSync('/proc/filesystems', 'utf8');
  if (!/\toverlay$/m.test(fileSystems))
    return 'the kernel of this machine has no overlay file system: try modprobe overlay';
  return undefined;
}
