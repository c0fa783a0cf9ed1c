import { applyObject } from '../kubernetes/apply.ts';
import { type Api, ApiError } from '../kubernetes/client.ts';
import { partial } from '../kubernetes/list.ts';
import { notEnded } from '../kubernetes/pods.ts';
import type { ApiObject } from '../kubernetes/watch.ts';
import { type Kind, pathOf } from './kinds.ts';

const gone = 404;

/** What is asked of the API server beside the watches. */
export interface Requests {
  /** Writes an object; one that is not known to be ours only as long as that changes nothing that is somebody else's. */
  write(kind: Kind, id: string, object: ApiObject, known: { isOurs: boolean }): Promise<void>;
  remove(kind: Kind, id: string): Promise<void>;
  /** Whether there are pods with these labels in the namespace that have not ended. */
  hasPods(namespace: string, labels: Readonly<Record<string, string>>): Promise<boolean>;
}

export function createRequests(api: Api, signal: AbortSignal): Requests {
  return {
    write: (kind, id, object, { isOurs }) =>
      applyObject(api, pathOf(kind, id), object, { force: isOurs, signal }),

    async remove(kind, id) {
      await api.call({ method: 'DELETE', path: pathOf(kind, id), signal }).catch((error: Error) => {
        if (!(error instanceof ApiError && error.status === gone)) throw error;
      });
    },

    async hasPods(namespace, labels) {
      const { items } = await api.call<{ items: unknown[] | null }>({
        path: `/api/v1/namespaces/${namespace}/pods`,
        query: {
          labelSelector: Object.entries(labels)
            .map(([label, value]) => `${label}=${value}`)
            .join(),
          fieldSelector: notEnded,
          limit: 1,
        },
        accept: partial('PartialObjectMetadataList'),
        signal,
      });
      return items !== null && items.length > 0;
    },
  };
}
