import type { InjectedPod } from '../pods/injected-pod.ts';
import type { InjectedPods } from '../pods/injected-pods.ts';

/** Returns what tells the names of the pods that run a program, in their order. */
export function indexByProgram(
  pods: Pick<InjectedPods, 'objects' | 'follow'>,
): (namespace: string, program: string) => readonly string[] {
  let byProgram: Map<string, string[]> | undefined;
  pods.follow((pod, before) => {
    if (pod?.programs.length || before?.programs.length) byProgram = undefined;
  });
  return (namespace, program) => {
    byProgram ??= podsByProgram(pods.objects.values());
    return byProgram.get(`${namespace}/${program}`) ?? none;
  };
}

const none: readonly string[] = [];

/** The pods by what they run: `namespace/program` -> the names of the pods, in their order. */
export function podsByProgram(pods: Iterable<InjectedPod>): Map<string, string[]> {
  const byProgram = new Map<string, string[]>();
  for (const { namespace, name, programs } of pods) {
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
