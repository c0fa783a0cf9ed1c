import type { Api } from './client.ts';
import { partial } from './list.ts';
import type { ApiObject } from './watch.ts';

/** The name by which the API server knows which fields are ours. */
const fieldManager = 'bpf-sidecar';

/**
 * Server-side apply: makes the object at `path` or changes the fields that `object` has, and nothing when they are so
 * already. With `force` also those that somebody else has written since; without, that is an ApiError 409.
 */
export async function applyObject(
  api: Api,
  path: string,
  object: ApiObject,
  { force, signal }: { force: boolean; signal?: AbortSignal },
): Promise<void> {
  await api.call({
    method: 'PATCH',
    path,
    query: { fieldManager, force },
    body: object,
    // JSON is YAML, too.
    contentType: 'application/apply-patch+yaml',
    accept: partial('PartialObjectMetadata'),
    ...(signal && { signal }),
  });
}
