import { annotationPrefix, describeProblem, readAnnotations, type Settings } from './contract/annotations.ts';
import { mountPaths } from './contract/pod.ts';
import { readPodInfo } from './pod/info.ts';

/** What the pod's annotations ask for, with what they copy from its labels. */
export interface PodSettings extends Settings {
  /** The pod's labels that are wanted on every series, by label name. */
  seriesLabels: Record<string, string>;
}

/**
 * Reads the settings as they are now. Throws an Error that names each annotation that cannot be accepted: the
 * webhook would not have injected such a pod, so it was changed since.
 */
export function readSettings(): PodSettings {
  const { settings, problems } = readAnnotations(readPodInfo(mountPaths.podInfo, 'annotations'));
  if (problems.length > 0) throw new Error(problems.map(describeProblem).join('; '));
  return { ...settings, seriesLabels: copiedLabels(settings.podLabels) };
}

export const attachOnlyReason =
  'the administrator has the sidecar keep no capabilities for that (--privilege attach-only)';

/**
 * One sentence when settings differ in what a pod gets for good when it is created, with `attachOnly` also its probes;
 * undefined when not.
 */
export function describeIneffective(
  created: Settings,
  now: Settings,
  attachOnly: boolean,
): string | undefined {
  const sentences = [
    ineffective(fixedParts(created), fixedParts(now), 'a running pod keeps its port and resources'),
    attachOnly ? ineffective(probeParts(created), probeParts(now), attachOnlyReason) : undefined,
  ].filter((sentence) => sentence !== undefined);
  return sentences.length === 0 ? undefined : sentences.join('; ');
}

type Parts = Record<string, string | undefined>;

function ineffective(before: Parts, now: Parts, reason: string): string | undefined {
  const changed = Object.entries(now).filter(([name, value]) => value !== before[name]);
  if (changed.length === 0) return undefined;
  const names = changed.map(([name]) => annotationPrefix + name).join(', ');
  return `${names}: changed without effect, because ${reason}; create the pod anew`;
}

function probeParts({ probes, programs }: Settings): Parts {
  return { probes: probes.join(), programs: programs.join() };
}

/** By annotation. */
function fixedParts({ metricsPort, resources }: Settings): Parts {
  return {
    'metrics-port': String(metricsPort),
    'cpu-request': resources.cpuRequest,
    'cpu-limit': resources.cpuLimit,
    'memory-request': resources.memoryRequest,
    'memory-limit': resources.memoryLimit,
  };
}

function copiedLabels(names: readonly string[]): Record<string, string> {
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
