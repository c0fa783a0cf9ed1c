import type { V1Pod } from '@kubernetes/client-node';
import { containerName, paths } from '../../sidecar/contract/pod.ts';
import { type Api, ApiError } from '../kubernetes/client.ts';
import type { Finding } from './status.ts';

/** Sidecars that are asked about a program: every pod of it runs the same object. */
export const maxAsked = 3;
/** Milliseconds for an answer. */
const patience = 2_000;
/** Of an answer, in bytes: a sentence for each thing that does not work. */
const maxAnswer = 64 * 1024;
const maxSentence = 400;
const httpStatus = { forbidden: 403, notFound: 404, unready: 503 } as const;

/** What a sidecar says of a program: it is attached, or why not. */
export type Said = 'attached' | { refused: string } | { silent: string };

/** Asks the sidecars of `pods` whether they have attached the program. */
export async function findLoaded(
  api: Api,
  namespace: string,
  program: string,
  pods: readonly string[],
): Promise<Finding> {
  const ask = async (pod: string) => [pod, await askPod(api, namespace, program, pod)] as const;
  return conclude(await Promise.all(pods.map(ask)));
}

/** What the answers come to. Pure. */
export function conclude(answers: readonly (readonly [pod: string, said: Said])[]): Finding {
  if (answers.length === 0) return { status: 'Unknown', reason: 'NoPods', message: 'no pod runs it' };
  for (const [pod, said] of answers)
    if (said !== 'attached' && 'refused' in said)
      return { status: 'False', reason: 'NotAttached', message: `pod ${pod}: ${said.refused}` };
  if (answers.some(([, said]) => said === 'attached'))
    return { status: 'True', reason: 'Attached', message: 'the sidecars that were asked have attached it' };
  const [pod, said] = answers[0]!;
  const why = typeof said === 'object' && 'silent' in said ? said.silent : '';
  return { status: 'Unknown', reason: 'NoAnswer', message: `pod ${pod}: ${why}` };
}

/** What `/readyz` of a sidecar says of a program: a line for each thing that does not work. Pure. */
export function readReadiness(status: number, body: string, program: string): Said {
  if (status !== 200 && status !== httpStatus.unready) return { silent: `its sidecar answers ${status}` };
  const line = body.split('\n').find((sentence) => sentence.startsWith(`probe ${program}: `));
  if (line !== undefined) return { refused: line.slice(0, maxSentence) };
  if (body.trim() === 'attaching') return { silent: 'its sidecar is attaching its probes' };
  return 'attached';
}

async function askPod(api: Api, namespace: string, program: string, name: string): Promise<Said> {
  let url: string | undefined;
  try {
    url = readinessUrl(await api.call<V1Pod>({ path: `/api/v1/namespaces/${namespace}/pods/${name}` }));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === httpStatus.forbidden) return { silent: 'the webhook may not read pods' };
    if (error.status === httpStatus.notFound) return { silent: 'it has gone' };
    throw error;
  }
  if (url === undefined) return { silent: 'it has no address yet' };
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(patience), redirect: 'error' });
    return readReadiness(answer.status, await beginningOf(answer), program);
  } catch {
    return { silent: 'its sidecar does not answer the webhook; a NetworkPolicy may be in the way' };
  }
}

export function readinessUrl({ spec, status }: V1Pod): string | undefined {
  const sidecar = spec?.initContainers?.find(({ name }) => name === containerName);
  const port = sidecar?.ports?.[0]?.containerPort;
  const address = status?.podIP;
  if (port === undefined || !address) return undefined;
  return `http://${address.includes(':') ? `[${address}]` : address}:${port}${paths.ready}`;
}

async function beginningOf(answer: Response): Promise<string> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const piece of answer.body ?? []) {
    text += decoder.decode(piece, { stream: true });
    if (text.length > maxAnswer) break;
  }
  return text;
}
