import type { MonitorsConfig } from '../../../webhook/config-file.ts';
import type { InjectedPod } from '../../../webhook/pods/injected-pod.ts';

export const monitors: MonitorsConfig = {
  kind: 'ServiceMonitor',
  scope: 'pod',
  interval: '30s',
  timeout: '10s',
  labels: {},
  relabelings: [],
  metricRelabelings: [],
};

export function injectedPod(more: Partial<InjectedPod> = {}): InjectedPod {
  return {
    namespace: 'shop',
    name: 'web-5d8f6-x2x4z',
    uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
    id: '0123456789abcdef',
    port: 9387,
    interval: undefined,
    timeout: undefined,
    programs: [],
    ...more,
  };
}
