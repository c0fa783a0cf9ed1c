import { dirname } from 'node:path';
import { kubernetesTool } from '../../scripts/cluster/tools.ts';

/** What a shell needs to have helm and kubectl at hand, for the cluster of this kubeconfig. */
export function environmentOf(kubeconfig: string): Record<string, string> {
  const tools = (['helm', 'kubectl'] as const).map((name) => dirname(kubernetesTool(name)));
  return { KUBECONFIG: kubeconfig, PATH: [...tools, process.env.PATH].join(':') };
}
