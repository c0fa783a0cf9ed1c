import {
  annotationPrefix,
  describeProblem,
  injectAnnotation,
  type Problem,
  readAnnotations,
} from '../../sidecar/contract/annotations.ts';
import type { InjectionConfig } from '../config.ts';
import { type NamespacePrograms, noPrograms, resolvePrograms } from '../programs/resolve.ts';
import { buildContainer } from './container.ts';
import { isDisabled, type NamespaceLabels } from './namespace.ts';
import { notes } from './notes.ts';
import { obstacles } from './obstacles.ts';
import { occupied } from './ownership.ts';
import { annotationsOf, type Pod, podProblem, quote } from './pod.ts';
import { type Skip, skip } from './reasons.ts';
import { sidecarResources } from './resources.ts';
import { scrapeAnnotations } from './scrape-annotations.ts';
import type { Sidecar } from './sidecar.ts';
import { buildVolumes } from './volumes.ts';

export interface Injection {
  inject: true;
  pod: Pod;
  sidecar: Sidecar;
  /** What whoever creates the pod should know; each one sentence without a full stop. */
  notes: string[];
}

export type Decision = Injection | Skip;

/** More would flood the client that reads the warnings. */
const maxProblems = 8;

/**
 * Decides whether `pod` (a pod, or the pod template of a workload, as raw JSON) gets a sidecar and which one,
 * or names the reason why not. `labels` are those of its namespace, none where nobody knows them, and `known` are the
 * BPF resources in it. Pure.
 */
export function decide(
  pod: unknown,
  config: InjectionConfig,
  labels: NamespaceLabels = {},
  known: NamespacePrograms = noPrograms,
): Decision {
  const { strings, problems: notStrings } = ourAnnotations(pod);
  const inject = strings[injectAnnotation];
  if (inject === 'false') return skip('disabled', `annotation ${injectAnnotation} is "false"`);

  const { settings, problems } = readAnnotations(strings);
  const invalid = [...notStrings, ...problems];
  if (inject === undefined && invalid.length === 0)
    return skip('not-requested', `there is no annotation ${injectAnnotation}`);
  if (isDisabled(labels))
    return skip('namespace-disabled', 'the namespace has the label bpf.sh/injection=disabled');
  if (invalid.length > 0)
    return skip('invalid-annotation', ...invalid.slice(0, maxProblems).map(describeProblem));

  const malformed = podProblem(pod);
  if (malformed !== undefined) return skip('malformed-pod', malformed);
  const sound = pod as Pod;

  const programs = resolvePrograms(settings.programs, known);
  if (!Array.isArray(programs)) return programs;
  const accepted = sidecarResources(sound, settings.resources, config);
  if ('problem' in accepted) return skip('invalid-annotation', describeProblem(accepted.problem));
  const told = config.scrapeAnnotations ? scrapeAnnotations(sound, settings) : { annotations: {}, notes: [] };
  const sidecar: Sidecar = {
    container: buildContainer(sound, settings, programs, accepted.resources, config),
    volumes: buildVolumes(programs),
    probes: settings.probes,
    programs: settings.programs,
    port: settings.metricsPort,
    annotations: told.annotations,
  };
  const there = occupied(sound, sidecar);
  if (there) return there;

  for (const [reason, find] of obstacles) {
    const message = find(sound, settings, labels);
    if (message !== undefined) return skip(reason, message);
  }
  return { inject: true, pod: sound, sidecar, notes: [...notes(sound, settings, labels), ...told.notes] };
}

const unquoted = 'must be a string; put the value in quotes';

/** Manifests on disk may hold a bare `true` or `9387`, which the API server would refuse less helpfully. */
function ourAnnotations(pod: unknown): { strings: Record<string, string>; problems: Problem[] } {
  const strings: Record<string, string> = {};
  const problems: Problem[] = [];
  for (const [annotation, value] of Object.entries(annotationsOf(pod))) {
    if (!annotation.startsWith(annotationPrefix)) continue;
    if (typeof value === 'string') strings[annotation] = value;
    else problems.push({ annotation, value: quote(value), reason: unquoted });
  }
  return { strings, problems };
}
