import type { KubeConfig } from '@kubernetes/client-node';
import { openUsersCluster } from '../kubernetes/client.ts';
import { CommandError, exit } from './command.ts';

/** The help of `--kubeconfig`. */
export const kubeconfigHelp = `  --kubeconfig FILE  where the API server is and who you are to it (default: $KUBECONFIG, else ~/.kube/config, else
                     that of the pod which this is)`;

/** The cluster of the user; throws a CommandError where there is none. */
export function openCommandCluster(kubeconfig: string | undefined): KubeConfig {
  try {
    return openUsersCluster(kubeconfig);
  } catch (error) {
    throw new CommandError((error as Error).message, exit.usage);
  }
}

/** Words what went wrong with a request that got no answer. */
export function unanswered(config: KubeConfig, error: unknown): CommandError {
  const { code, message } = error as NodeJS.ErrnoException;
  const server = config.getCurrentCluster()?.server;
  return new CommandError(`the API server ${server} does not answer: ${message || code}`, exit.failed);
}
