import type { V1Pod } from '@kubernetes/client-node';
import { formatMap } from './downward.ts';
import type { Sandbox } from './sandbox.ts';

/** What a `fieldRef` of a pod's environment or downward API volume means in its sandbox. */
export function fieldValue(pod: V1Pod, sandbox: Sandbox, path: string): string {
  const { labels = {}, annotations = {} } = pod.metadata ?? {};
  const fields: Record<string, string | undefined> = {
    'metadata.name': sandbox.pod,
    'metadata.namespace': sandbox.namespace,
    'metadata.uid': sandbox.uid,
    'metadata.labels': formatMap(labels),
    'metadata.annotations': formatMap(annotations),
    'spec.nodeName': sandbox.node,
    'status.podIP': sandbox.address ?? '127.0.0.1',
  };
  const [, map, key = ''] = path.match(/^metadata\.(labels|annotations)\['(.+)'\]$/) ?? [];
  const value = map === undefined ? fields[path] : ((map === 'labels' ? labels : annotations)[key] ?? '');
  if (value === undefined)
    throw new Error(`the pod refers to the field ${path}, which a sandbox does not have; use another field`);
  return value;
}
