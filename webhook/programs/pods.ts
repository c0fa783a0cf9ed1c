import { isDeepStrictEqual } from 'node:util';
import { annotationPrefix } from '../../sidecar/contract/annotations.ts';
import type { Log } from '../../sidecar/contract/log.ts';
import { readStatus } from '../admission/metadata.ts';
import type { Api } from '../kubernetes/client.ts';
import { injectedPods } from '../kubernetes/pods.ts';
import { type ApiObject, type Watched, watchObjects } from '../kubernetes/watch.ts';

/** The injected pods that have not ended. */
export interface ProgramPods {
  readonly watched: Watched<readonly string[]>;
  /** The names of those that run a program, in their order. */
  of(namespace: string, program: string): readonly string[];
}

export function watchProgramPods(api: Api, log: Log): ProgramPods {
  let byProgram: Map<string, string[]> | undefined;
  const watched = watchObjects<readonly string[]>(api, log, {
    ...injectedPods,
    keep(pod, before) {
      const programs = programsOf(pod);
      return before && isDeepStrictEqual(before, programs) ? before : programs;
    },
    onChange(_, programs, before) {
      if (programs?.length || before?.length) byProgram = undefined;
    },
  });
  return {
    watched,
    of(namespace, program) {
      byProgram ??= podsByProgram(watched.objects);
      return byProgram.get(`${namespace}/${program}`) ?? none;
    },
  };
}

const none: readonly string[] = [];

/** What a pod runs: of the programs that it was created with, as others are not mounted, those that it names now. */
export function programsOf({ metadata }: Pick<ApiObject, 'metadata'>): readonly string[] {
  const asked = metadata.annotations?.[`${annotationPrefix}programs`];
  const status = readStatus({ metadata });
  if (!asked || !status) return none;
  const names = new Set(asked.split(',').map((name) => name.trim()));
  const programs = status.programs.filter((name) => names.has(name));
  return programs.length === 0 ? none : programs;
}

/** The pods by what they run: `namespace/program` -> the names of the pods, in their order. */
export function podsByProgram(pods: ReadonlyMap<string, readonly string[]>): Map<string, string[]> {
  const byProgram = new Map<string, string[]>();
  for (const [id, programs] of pods) {
    if (programs.length === 0) continue;
    const [namespace, name] = id.split('/') as [string, string];
    for (const program of programs) {
      const key = `${namespace}/${program}`;
      const names = byProgram.get(key);
      if (names) names.push(name);
      else byProgram.set(key, [name]);
    }
  }
  for (const names of byProgram.values()) names.sort();
  return byProgram;
}
