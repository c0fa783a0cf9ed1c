import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { cgroupRoot } from '../node/cgroups.ts';

/** Capabilities that the demo needs, by their bit in capabilities(7), and what for. */
const capabilities = [
  { name: 'CAP_NET_ADMIN', bit: 12n, purpose: "to make the pod's network" },
  { name: 'CAP_SYS_ADMIN', bit: 21n, purpose: 'to make namespaces and mounts' },
  { name: 'CAP_PERFMON', bit: 38n, purpose: 'to attach eBPF programs to trace points' },
  { name: 'CAP_BPF', bit: 39n, purpose: 'to load eBPF programs' },
];

/**
 * Tries what the demo is going to do, and throws one sentence about the first thing that is missing and how
 * to get it. Returns a description of the machine.
 */
export async function checkMachine(): Promise<string> {
  if (process.platform !== 'linux')
    throw new Error(
      `eBPF is a part of Linux and this is ${process.platform}: run the demo on a Linux machine`,
    );
  if (process.getuid?.() !== 0)
    throw new Error('the demo needs root, to load eBPF programs and make cgroups: run it with sudo');
  const missing = capabilities.filter(({ bit }) => !(effectiveCapabilities() & (1n << bit)));
  if (missing.length > 0) {
    const list = missing.map(({ name, purpose }) => `${name} (${purpose})`).join(', ');
    throw new Error(
      `root lacks ${list}: run the demo on the machine itself, or in a container with --privileged`,
    );
  }
  if (!existsSync('/sys/kernel/btf/vmlinux'))
    throw new Error(
      'the kernel has no BTF, /sys/kernel/btf/vmlinux is missing: use a kernel built with CONFIG_DEBUG_INFO_BTF=y, as those of Debian and Ubuntu are',
    );
  const cgroups = cgroupRoot();
  tryCgroup(cgroups);
  tryNamespaces();
  await tryLoading();
  return `Linux ${release()}, BTF, cgroup v2 at ${cgroups}`;
}

function effectiveCapabilities(): bigint {
  const [, mask = '0'] = readFileSync('/proc/self/status', 'utf8').match(/^CapEff:\s*([0-9a-f]+)$/m) ?? [];
  return BigInt(`0x${mask}`);
}

function tryCgroup(root: string): void {
  const cgroup = join(root, `bpf-sidecar-check-${process.pid}`);
  try {
    accessSync(root, constants.W_OK);
    mkdirSync(cgroup);
    rmdirSync(cgroup);
  } catch (error) {
    throw new Error(
      `no cgroup can be made in ${root} (${(error as Error).message}): in a container, mount it writable, as --privileged does`,
    );
  }
}

function tryNamespaces(): void {
  const { status, stderr, error } = spawnSync('unshare', ['--net', '--mount', '--cgroup', 'true'], {
    encoding: 'utf8',
  });
  if (status !== 0)
    throw new Error(
      `no namespaces can be made (${(error?.message ?? stderr).trim()}): in a container, run it with --privileged`,
    );
}

/** Loads the programs of a probe, which tells more than any list of capabilities: lockdown, seccomp, an old kernel. */
async function tryLoading(): Promise<void> {
  const { closeObject, loadObject, openObject } = await import('../../sidecar/libbpf/object.ts');
  const { readObject } = await import('../../sidecar/objects.ts');
  const object = openObject('network', readObject('network'));
  try {
    loadObject(object);
  } catch (error) {
    const refused = (error as { code?: string }).code === 'EPERM';
    throw new Error(
      `this kernel does not load eBPF programs although root has the capabilities: ${(error as Error).message}${
        refused
          ? '; a seccomp profile or kernel lockdown forbids it, so run without them, as with --privileged'
          : ''
      }`,
    );
  } finally {
    closeObject(object);
  }
}
