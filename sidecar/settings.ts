import { describeProblem, readAnnotations, type Settings } from './contract/annotations.ts';
import { mountPaths } from './contract/pod.ts';
import { readPodInfo } from './pod/info.ts';

/**
 * What the pod's annotations ask for. Throws an Error that names each annotation that cannot be accepted: the
 * webhook would not have injected such a pod, so it was changed since.
 */
export function readSettings(): Settings {
  const { settings, problems } = readAnnotations(readPodInfo(mountPaths.podInfo, 'annotations'));
  if (problems.length > 0) throw new Error(problems.map(describeProblem).join('; '));
  return settings;
}

/** The pod's labels that its annotations want on every series, by label name. */
export function copiedLabels(names: readonly string[]): Record<string, string> {
  if (names.length === 0) return {};
  const labels = readPodInfo(mountPaths.podInfo, 'labels');
  return Object.fromEntries(
    names.flatMap((name) => (Object.hasOwn(labels, name) ? [[labelName(name), labels[name]!]] : [])),
  );
}

/** A pod label's name on series, after Prometheus' own service discovery: `pod_label_app_kubernetes_io_name`. */
function labelName(name: string): string {
  return `pod_label_${name.replace(/[^a-zA-Z0-9_]/g, '_')}`;
}
