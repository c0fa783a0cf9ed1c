import type { IncomingMessage } from 'node:http';
import { Agent, type RequestOptions, request as send } from 'node:https';
import { json } from 'node:stream/consumers';
import { KubeConfig } from '@kubernetes/client-node';

/** Milliseconds: the API server ends every request but a watch within a minute. */
const headTimeout = 60_000;
/** Of an answer that tells why not, in bytes. */
const maxRefusal = 64 * 1024;

/** What the API server refused, in its own words. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * Where the API server is and who we are to it: from a kubeconfig file, or as a pod's service account. Throws an Error of
 * one sentence.
 */
export function openCluster(kubeconfig?: string): KubeConfig {
  const config = new KubeConfig();
  if (kubeconfig === undefined) {
    if (!process.env.KUBERNETES_SERVICE_HOST)
      throw new Error('this is no pod of a cluster; give a kubeconfig file with --kubeconfig');
    config.loadFromCluster();
    return config;
  }
  try {
    config.loadFromFile(kubeconfig);
  } catch (error) {
    throw new Error(`--kubeconfig ${kubeconfig}: ${(error as Error).message}`);
  }
  if (!config.getCurrentCluster())
    throw new Error(`--kubeconfig ${kubeconfig}: it has no current context; set one`);
  return config;
}

/**
 * The same for somebody at a command line, who is found as kubectl finds them: by the file, or else by KUBECONFIG, the
 * file in the home directory, or as a pod's service account.
 */
export function openUsersCluster(kubeconfig?: string): KubeConfig {
  if (kubeconfig !== undefined) return openCluster(kubeconfig);
  const config = new KubeConfig();
  try {
    config.loadFromDefault();
  } catch (error) {
    throw new Error(`the kubeconfig cannot be read: ${(error as Error).message}`);
  }
  const cluster = config.getCurrentCluster();
  if (!cluster) throw new Error('the kubeconfig has no current context; set one');
  // What client-node takes when there is nothing.
  if (cluster.server === 'http://localhost:8080')
    throw new Error('there is no kubeconfig; give one with --kubeconfig or KUBECONFIG');
  return config;
}

/** Whether the cluster is the one that this process is a pod of. */
export function isOwnCluster(config: KubeConfig): boolean {
  return config.getCurrentCluster()?.name === 'inCluster';
}

export interface ApiRequest {
  method?: 'GET' | 'PATCH' | 'POST' | 'PUT' | 'DELETE';
  /** Such as /api/v1/pods. */
  path: string;
  query?: Readonly<Record<string, string | number | boolean | undefined>>;
  body?: unknown;
  contentType?: string;
  accept?: string;
  signal?: AbortSignal;
}

/** Sends requests to the API server, over connections that are kept. */
export interface Api {
  /** Resolves to the answer once its head is there. Rejects with an ApiError for any but a 2xx. */
  open(request: ApiRequest): Promise<IncomingMessage>;
  /** Resolves to the object of the answer. */
  call<Result>(request: ApiRequest): Promise<Result>;
}

/**
 * Requests and answers as raw JSON. client-node's own calls give objects of the fields that it knows, and lose others; its
 * watch gives up silently on what it cannot read.
 */
export function createApi(config: KubeConfig): Api {
  let agent: RequestOptions['agent'];

  async function options({
    method = 'GET',
    accept,
    contentType,
    signal,
  }: ApiRequest): Promise<RequestOptions> {
    const authorized: RequestOptions = {};
    await config.applyToHTTPSOptions(authorized);
    const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = authorized;
    // That of client-node makes a connection for each request.
    agent ??= config.getCurrentCluster()?.proxyUrl
      ? authorized.agent
      : new Agent({ ca, cert, key, pfx, passphrase, rejectUnauthorized, servername, keepAlive: true });
    return {
      ...authorized,
      agent,
      method,
      headers: {
        ...authorized.headers,
        accept: accept ?? 'application/json',
        ...(contentType !== undefined && { 'content-type': contentType }),
      },
      ...(signal && { signal }),
    };
  }

  async function open(request: ApiRequest): Promise<IncomingMessage> {
    const url = new URL(config.getCurrentCluster()!.server);
    url.pathname = `${url.pathname.replace(/\/$/, '')}${request.path}`;
    for (const [name, value] of Object.entries(request.query ?? {}))
      if (value !== undefined) url.searchParams.set(name, String(value));
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    const sending = await options(
      body === undefined ? request : { contentType: 'application/json', ...request },
    );
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const sent = send(url, sending, resolve);
      sent.setTimeout(headTimeout, () => sent.destroy(new Error(`no answer within ${headTimeout / 1000} s`)));
      sent.once('error', reject);
      sent.once('response', () => sent.setTimeout(0));
      sent.end(body);
    });
    const { statusCode = 0 } = response;
    if (statusCode >= 200 && statusCode < 300) return response;
    throw new ApiError(statusCode, await refusalOf(response));
  }

  return {
    open,
    call: async (request) => (await json(await open(request))) as never,
  };
}

/** The message of the Status that the API server answers with, else what it sent. */
async function refusalOf(response: IncomingMessage): Promise<string> {
  let text = '';
  response.setEncoding('utf8');
  for await (const piece of response) {
    text += piece;
    if (text.length > maxRefusal) break;
  }
  try {
    const { message } = JSON.parse(text);
    if (typeof message === 'string') return message;
  } catch {
    // A proxy in between may answer anything.
  }
  return `HTTP ${response.statusCode}: ${text.slice(0, 200).trim()}`;
}
