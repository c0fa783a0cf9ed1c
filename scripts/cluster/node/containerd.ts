import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startDaemon } from './daemon.ts';
import { runEnclosed } from './enclosure.ts';
import { containerdSocket, directory, podRange } from './place.ts';

export const pauseImage = 'localhost/bpf-sidecar-pause:1';

/** Starts containerd, with runc and the network of pods; resolves when it answers. */
export async function startContainerd(): Promise<void> {
  const networks = join(directory, 'cni');
  mkdirSync(networks);
  writeFileSync(join(networks, 'pods.conflist'), JSON.stringify(podNetwork));
  const configuration = join(directory, 'containerd.toml');
  writeFileSync(configuration, containerdConfiguration(networks));
  const containerd = startDaemon('containerd', 'containerd', { config: configuration });
  await containerd.until(() => answers('version'));
}

/** ctr, in the place where kubelet finds images. */
export function ctr(...argv: string[]): Promise<string> {
  return runEnclosed('ctr', '--address', containerdSocket, '--namespace', 'k8s.io', ...argv);
}

function answers(...argv: string[]): Promise<boolean> {
  return ctr(...argv).then(
    () => true,
    () => false,
  );
}

/** A link from each pod to the node, which routes: then what goes to a Service and back always comes by kube-proxy's rules. */
const podNetwork = {
  cniVersion: '0.4.0',
  name: 'pods',
  plugins: [
    {
      type: 'ptp',
      ipam: { type: 'host-local', ranges: [[{ subnet: podRange }]], routes: [{ dst: '0.0.0.0/0' }] },
    },
  ],
};

function containerdConfiguration(networks: string): string {
  return `version = 2
root = "${directory}/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs"]

[grpc]
address = "${containerdSocket}"

[plugins."io.containerd.internal.v1.opt"]
path = "${directory}/containerd/opt"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${pauseImage}"
# Where there is no CAP_SYS_RESOURCE, no process may be protected more than we are.
restrict_oom_score_adj = true
disable_apparmor = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "${networks}"
`;
}
