import type { Settings } from '../../sidecar/contract/annotations.ts';
import { paths } from '../../sidecar/contract/pod.ts';
import { annotationsOf, type Pod } from './pod.ts';

const scrapePrefix = 'prometheus.io/';

function annotationsFor(port: number): Record<string, string> {
  return {
    [`${scrapePrefix}scrape`]: 'true',
    [`${scrapePrefix}port`]: String(port),
    [`${scrapePrefix}path`]: paths.metrics,
  };
}

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
  return { annotations: annotationsFor(metricsPort), notes: [] };
}

/** Which of the annotations that were `added` for a sidecar on `port` go with it: none where somebody has changed one. */
export function removableAnnotations(pod: Pod, added: readonly string[], port: number): string[] {
  const present = annotationsOf(pod);
  const ours = Object.entries(annotationsFor(port)).filter(([name]) => added.includes(name));
  return ours.every(([name, value]) => present[name] === value) ? ours.map(([name]) => name) : [];
}
