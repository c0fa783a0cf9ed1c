import { type Api, ApiError, type ApiRequest } from '../kubernetes/client.ts';
import type { SecretData } from './secret.ts';

/**
 * Something that is read, and written only if it is still as it was read. Both reject with an Error of one sentence when
 * the API server is away or refuses.
 */
interface Store<Content> {
  /** For messages. */
  readonly name: string;
  /** Undefined when it is not there. */
  read(): Promise<Versioned<Content> | undefined>;
}

export interface Versioned<Content> {
  content: Content;
  /** Another one after each change. */
  version: string;
}

export interface SecretStore extends Store<SecretData> {
  /** Makes it, or with a version replaces its content. Resolves to whether nobody else was first. */
  write(data: SecretData, version: string | undefined): Promise<boolean>;
}

/** How often something is read again at once when somebody else was first to write it. */
export const attempts = 5;

/** The bundles of a webhook configuration, PEM, one for each of its webhooks. */
export type Bundles = readonly string[];

export interface BundleStore extends Store<Bundles> {
  /** Replaces those that are given. Resolves to whether nobody else was first. */
  write(bundles: readonly (string | undefined)[], version: string): Promise<boolean>;
}

/** Where in the API server it is. */
interface Place {
  /** Path of all objects of its kind. */
  collection: string;
  /** Its name. */
  object: string;
}

interface Raw {
  metadata: { resourceVersion: string };
}

/** Written by patches, so that labels and the like stay as others set them. */
const fieldManager = 'bpf-sidecar';

export function createSecretStore(
  api: Api,
  { namespace, name: object }: { namespace: string; name: string },
): SecretStore & Place {
  const collection = `/api/v1/namespaces/${namespace}/secrets`;
  const path = `${collection}/${object}`;
  const name = `Secret ${namespace}/${object}`;
  return {
    name,
    collection,
    object,
    async read() {
      const secret = await get<Raw & { data?: Record<string, string> }>(api, name, path);
      return (
        secret && { content: mapValues(secret.data ?? {}, decode), version: secret.metadata.resourceVersion }
      );
    },
    write(content, version) {
      const data = mapValues(content, encode);
      if (version !== undefined)
        return patch(api, name, path, version, [{ op: 'add', path: '/data', value: data }]);
      const request: ApiRequest = {
        method: 'POST',
        path: collection,
        query: { fieldManager },
        body: {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { name: object, labels: { 'app.kubernetes.io/managed-by': 'bpf-sidecar' } },
          data,
        },
      };
      return send<unknown>(api, `make ${name}`, request, { 409: false }).then(Boolean);
    },
  };
}

export function createBundleStore(
  api: Api,
  kind: 'mutating' | 'validating',
  object: string,
): BundleStore & Place {
  const collection = `/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations`;
  const path = `${collection}/${object}`;
  const name = `${kind === 'mutating' ? 'Mutating' : 'Validating'}WebhookConfiguration ${object}`;
  return {
    name,
    collection,
    object,
    async read() {
      const configuration = await get<Raw & { webhooks?: { clientConfig: { caBundle?: string } }[] }>(
        api,
        name,
        path,
      );
      if (!configuration) return undefined;
      const { webhooks = [], metadata } = configuration;
      return {
        content: webhooks.map(({ clientConfig: { caBundle = '' } }) => decode(caBundle)),
        version: metadata.resourceVersion,
      };
    },
    write: (bundles, version) =>
      patch(
        api,
        name,
        path,
        version,
        bundles.flatMap((bundle, index) =>
          bundle === undefined
            ? []
            : [{ op: 'add', path: `/webhooks/${index}/clientConfig/caBundle`, value: encode(bundle) }],
        ),
      ),
  };
}

/** Milliseconds; so that an API server that says nothing does not keep a replica from what else it has to do. */
const patience = 10_000;

async function get<Result>(api: Api, name: string, path: string): Promise<Result | undefined> {
  return send<Result | undefined>(api, `read ${name}`, { path }, { 404: undefined });
}

/** A patch that is taken only for the version that was read. */
function patch(api: Api, name: string, path: string, version: string, changes: object[]): Promise<boolean> {
  const request: ApiRequest = {
    method: 'PATCH',
    path,
    query: { fieldManager },
    contentType: 'application/json-patch+json',
    body: [{ op: 'replace', path: '/metadata/resourceVersion', value: version }, ...changes],
  };
  return send<unknown>(api, `write ${name}`, request, { 409: false, 404: false }).then(Boolean);
}

/** `expected` has what is answered in place of a refusal, by its status. */
async function send<Result>(
  api: Api,
  what: string,
  request: ApiRequest,
  expected: Readonly<Record<number, Result>>,
): Promise<Result> {
  const signal = AbortSignal.timeout(patience);
  try {
    return await api.call<Result>({ ...request, signal });
  } catch (error) {
    if (error instanceof ApiError && error.status in expected) return expected[error.status]!;
    const why = signal.aborted ? `no answer within ${patience / 1000} s` : (error as Error).message;
    throw new Error(`cannot ${what}: ${why}`);
  }
}

const decode = (base64: string) => Buffer.from(base64, 'base64').toString();
const encode = (text: string) => Buffer.from(text).toString('base64');

function mapValues(values: SecretData, change: (value: string) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, change(value)]));
}
