import type { Api } from './client.ts';

export interface ListOptions {
  /** Such as /api/v1/pods. */
  path: string;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
  /** Only the metadata of the objects is asked for, and sent. */
  metadataOnly?: boolean;
  signal?: AbortSignal;
}

export interface Page<Listed> {
  items: readonly Listed[];
  /** Where a watch can go on once all pages have been read. */
  resourceVersion: string;
}

/** Objects that are asked for at once. */
const pageSize = 500;

/** The content type of only the metadata of objects, as `PartialObjectMetadata` or a list of these. */
export function partial(kind: string): string {
  return `application/json;as=${kind};g=meta.k8s.io;v=v1,application/json`;
}

/** Lists the objects of a kind, a page at a time. */
export async function* listPages<Listed>(
  api: Pick<Api, 'call'>,
  { path, labelSelector, fieldSelector, metadataOnly = false, signal }: ListOptions,
): AsyncGenerator<Page<Listed>> {
  let next: string | undefined;
  do {
    const { items, metadata } = await api.call<{
      metadata: { continue?: string; resourceVersion: string };
      /** Null for none, where only metadata is asked for. */
      items: Listed[] | null;
    }>({
      path,
      query: { labelSelector, fieldSelector, limit: pageSize, continue: next },
      ...(metadataOnly && { accept: partial('PartialObjectMetadataList') }),
      ...(signal && { signal }),
    });
    yield { items: items ?? [], resourceVersion: metadata.resourceVersion };
    next = metadata.continue;
  } while (next);
}

/** Lists the objects of a kind one by one, of which no more than a page is kept. */
export async function* listObjects<Listed>(
  api: Pick<Api, 'call'>,
  options: ListOptions,
): AsyncGenerator<Listed> {
  for await (const { items } of listPages<Listed>(api, options)) yield* items;
}
