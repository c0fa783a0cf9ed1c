/** `npm run cluster:up`: a real cluster on this machine, with the chart installed. See --help. */
import { runScript } from './cluster/command-line.ts';
import { installChart } from './cluster/node/chart.ts';
import { logDirectory } from './cluster/node/daemon.ts';
import { isThere } from './cluster/node/enclosure.ts';
import { startNode } from './cluster/node/node.ts';
import { kubeconfigFile } from './cluster/node/place.ts';
import { kubernetesTool } from './cluster/tools.ts';

const help = `Usage: npm run cluster:up

Makes a Kubernetes cluster of this machine, with itself as the only node: etcd, kube-apiserver, kube-controller-manager,
kube-scheduler, kubelet, kube-proxy, containerd and runc, in namespaces and cgroups of their own. Installs the chart
with the images of npm run images, and prints the path of a kubeconfig. It needs root.

The cluster goes on until npm run cluster:down, which leaves nothing behind. The first time Kubernetes is built, which
needs Go and takes some minutes.

  --help  show this

Exit codes: 0 done, 1 could not start, 2 wrong usage.
`;

function complain(line: string): void {
  process.stderr.write(`cluster:up: ${line}\n`);
}

async function main(): Promise<number> {
  const wasThere = isThere();
  try {
    await startNode();
    await installChart();
    process.stdout.write(
      `kubectl: ${kubernetesTool('kubectl')}\nkubeconfig: ${kubeconfigFile}\nnpm run cluster:down ends the cluster.\n`,
    );
    return 0;
  } catch (error) {
    complain((error as Error).message);
    if (!wasThere && isThere())
      complain(`what has started is still there: look into ${logDirectory}, then run npm run cluster:down`);
    return 1;
  }
}

await runScript({ name: 'cluster:up', help, main });
