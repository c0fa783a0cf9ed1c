import type { Settings } from '../../sidecar/contract/annotations.ts';
import { paths } from '../../sidecar/contract/pod.ts';
import { annotationsOf, type Pod } from './pod.ts';

export const scrapePrefix = 'prometheus.io/';

/**
 * The annotations by which a Prometheus without the Operator is often told what to scrape. They can name one port of a
 * pod: where the pod has some of its own, those stay, and a sentence says what that means.
 */
export function scrapeAnnotations(
  pod: Pod,
  { metricsPort }: Settings,
): { annotations: Record<string, string>; notes: string[] } {
  const own = Object.keys(annotationsOf(pod)).find((annotation) => annotation.startsWith(scrapePrefix));
  if (own !== undefined)
    return {
      annotations: {},
      notes: [
        `the pod has the annotation ${own} of its own, so that Prometheus is not told of its bpf-sidecar, port ${metricsPort}`,
      ],
    };
  return {
    annotations: {
      [`${scrapePrefix}scrape`]: 'true',
      [`${scrapePrefix}port`]: String(metricsPort),
      [`${scrapePrefix}path`]: paths.metrics,
    },
    notes: [],
  };
}
