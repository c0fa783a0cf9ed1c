import type { MonitorsConfig } from '../config-file.ts';

/** The kinds of what is kept for injected pods. */
export const kinds = {
  Service: { apiVersion: 'v1', root: '/api/v1', plural: 'services' },
  ServiceMonitor: {
    apiVersion: 'monitoring.coreos.com/v1',
    root: '/apis/monitoring.coreos.com/v1',
    plural: 'servicemonitors',
  },
  PodMonitor: {
    apiVersion: 'monitoring.coreos.com/v1',
    root: '/apis/monitoring.coreos.com/v1',
    plural: 'podmonitors',
  },
} as const;

export type Kind = keyof typeof kinds;

export const allKinds = Object.keys(kinds) as Kind[];

/** Those that a kind of monitor needs, in the order in which they are written. */
export function kindsFor(kind: MonitorsConfig['kind']): readonly Kind[] {
  if (kind === 'ServiceMonitor') return ['Service', 'ServiceMonitor'];
  return kind === 'PodMonitor' ? ['PodMonitor'] : [];
}

/** Of all objects of a kind, or of that with the id `namespace/name`. */
export function pathOf(kind: Kind, id?: string): string {
  const { root, plural } = kinds[kind];
  if (id === undefined) return `${root}/${plural}`;
  const [namespace, name] = id.split('/');
  return `${root}/namespaces/${namespace}/${plural}/${name}`;
}
