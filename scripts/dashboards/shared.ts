import { probeFamilies } from '../docs/families.ts';
import type { Panel } from './dashboard.ts';
import type { Queries } from './queries.ts';

/** Of anything that happens, per second. */
export const events = 'ops';

/** Selects one pod. */
export const pod = 'namespace="$namespace",pod="$pod"';

export const attachment = {
  0: { text: 'not attached', color: 'red' },
  1: { text: 'attached', color: 'green' },
} as const;

/** What is in no series, or in another than it should be, and why. */
export function losses({ rate, count }: Queries): Panel[] {
  return [
    {
      title: 'Events that could not be counted',
      unit: 'short',
      queries: [...probeFamilies].flatMap(([probe, families]) =>
        families
          .filter(({ name }) => name.endsWith('_uncounted_total'))
          .map(({ name }) => count(name, { as: probe })),
      ),
      note: 'All 0 when all is well.',
    },
    {
      title: 'Series and values left out',
      unit: events,
      queries: [
        rate('bpf_sidecar_series_dropped_total', { by: ['probe', 'reason'], as: 'series' }),
        rate('bpf_sidecar_label_values_changed_total', { by: ['probe', 'reason'], as: 'label values' }),
        rate('bpf_sidecar_decode_errors_total', { by: ['probe'], as: 'not decoded' }),
        rate('bpf_sidecar_exemplar_labels_dropped_total', { by: ['probe'], as: 'labels of exemplars' }),
        rate('bpf_sidecar_events_dropped_total', { by: ['probe'], as: 'events' }),
      ],
      note: 'All 0 when all is well.',
    },
    {
      title: 'Errors of the sidecar',
      unit: 'short',
      queries: [
        count('bpf_sidecar_load_errors_total', { by: ['probe'], as: 'load' }),
        count('bpf_sidecar_read_errors_total', { by: ['probe'], as: 'read' }),
      ],
      note: 'Empty when all is well.',
    },
  ];
}
