import type { V1Pod } from '@kubernetes/client-node';
import { paths } from '../../../sidecar/contract/pod.ts';
import { readStatus } from '../../admission/metadata.ts';
import { type Api, ApiError } from '../../kubernetes/client.ts';
import { CommandError, exit } from '../command.ts';
import { parse, type Reading } from './samples.ts';

/** Characters of a scrape, of which a pod may send any number. */
const maxScrape = 64 * 1024 * 1024;

/** Reads the metrics of a pod through the API server, which reaches every pod. */
export interface ObservedPod {
  node: string;
  scrape(): Promise<Reading>;
}

/** Finds the pod and its sidecar; throws a CommandError where there is none. */
export async function findPod(
  api: Api,
  { namespace, name }: { namespace: string; name: string },
  signal: AbortSignal,
): Promise<ObservedPod> {
  const title = `pod ${namespace}/${name}`;
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}`;
  const pod = await refusable(title, () => api.call<V1Pod>({ path, signal }));
  const port = readStatus(pod)?.port;
  if (port === undefined)
    throw new CommandError(`${title} has no sidecar; "bpf-sidecar check" tells why`, exit.failed);
  return {
    node: pod.spec?.nodeName ?? '',
    scrape: () =>
      refusable(`the sidecar of ${title} does not answer`, async () => {
        const response = await api.open({
          path: `${path}:${port}/proxy${paths.metrics}`,
          accept: 'text/plain;version=0.0.4',
          signal,
        });
        response.setEncoding('utf8');
        let text = '';
        for await (const piece of response) {
          text += piece;
          if (text.length > maxScrape)
            throw new CommandError(
              `the metrics of ${title} are longer than ${maxScrape} characters`,
              exit.failed,
            );
        }
        return { at: performance.now(), samples: parse(text) };
      }),
  };
}

async function refusable<Result>(what: string, action: () => Promise<Result>): Promise<Result> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw new CommandError(`${what}: ${error.message.trim()}`, exit.failed);
  }
}
