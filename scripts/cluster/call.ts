import { type RequestOptions, request } from 'node:https';
import { text } from 'node:stream/consumers';
import type { KubeConfig } from '@kubernetes/client-node';

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: an object of any kind
  body: any;
  /** The Warning headers, as in `299 - "the text"`. */
  warnings: string[];
}

/**
 * A request to an API server, with the object as it is: a client of @kubernetes/client-node leaves fields out that it
 * does not know, and warnings.
 */
export async function call(config: KubeConfig, method: string, path: string, body?: object): Promise<Answer> {
  const options: RequestOptions = { method, headers: { 'content-type': 'application/json' } };
  await config.applyToHTTPSOptions(options);
  return new Promise((resolve, reject) => {
    request(`${config.getCurrentCluster()!.server}${path}`, options, async (response) => {
      const warnings = response.headersDistinct.warning ?? [];
      resolve({ status: response.statusCode!, body: objectOf(await text(response)), warnings });
    })
      .on('error', reject)
      .end(body && JSON.stringify(body));
  });
}

/** What is no object, such as the answer of a path that is not served yet, is its message. */
function objectOf(body: string): object {
  try {
    return JSON.parse(body);
  } catch {
    return { message: body.trim() };
  }
}

/** Creates an object, in the list at `path`, unless there is one of its name. */
export async function create(config: KubeConfig, path: string, object: object): Promise<void> {
  const { status, body } = await call(config, 'POST', path, object);
  if (status !== 201 && status !== 409)
    throw new Error(`the API server refuses to create in ${path}: ${body.message}`);
}
