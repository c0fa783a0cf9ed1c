import { type Skip, skip } from '../admission/reasons.ts';
import type { Program } from './resource.ts';

/** A resource that cannot be used, and why, in one sentence. */
export interface InvalidProgram {
  invalid: string;
}

/** The `BPF` resources of a namespace, or in one sentence why its pods have none. */
export type NamespacePrograms =
  | { resources: ReadonlyMap<string, Program | InvalidProgram> }
  /** The administrator does not allow them. */
  | { off: string }
  /** Nobody knows them yet. */
  | { unknown: string };

export const noPrograms: NamespacePrograms = {
  off: 'they are off; an administrator allows them with the value programs.allowedNamespaces',
};

const annotation = 'annotation bpf.sh/programs';
/** More would flood the client that reads the warnings. */
const limits = { messages: 8, names: 10 } as const;

/**
 * The programs that a pod asks for by `names`, or the reason why it cannot have one of them. Whether the ConfigMaps that
 * they name are there is not asked: the pod starts without them, and the sidecar follows when they come. Pure.
 */
export function resolvePrograms(names: readonly string[], namespace: NamespacePrograms): Program[] | Skip {
  if (names.length === 0) return [];
  if ('off' in namespace)
    return skip('programs-not-allowed', `${annotation} asks for a user's own programs: ${namespace.off}`);
  if ('unknown' in namespace) return skip('programs-unknown', `${annotation}: ${namespace.unknown}`);
  const { resources } = namespace;

  const missing = names.filter((name) => !resources.has(name));
  if (missing.length > 0)
    return skip(
      'program-missing',
      ...missing
        .slice(0, limits.messages)
        .map((name) => `${annotation} names "${name}": ${whatThereIs(resources)}`),
    );
  const programs: Program[] = [];
  const invalid: string[] = [];
  for (const name of names) {
    const program = resources.get(name)!;
    if ('invalid' in program) invalid.push(`the BPF resource "${name}" is invalid: ${program.invalid}`);
    else programs.push(program);
  }
  return invalid.length === 0 ? programs : skip('program-invalid', ...invalid.slice(0, limits.messages));
}

function whatThereIs(resources: ReadonlyMap<string, unknown>): string {
  if (resources.size === 0) return 'there is no BPF resource in its namespace';
  const names = [...resources.keys()].sort();
  const shown = names.slice(0, limits.names).join(', ');
  const more = names.length > limits.names ? ` and ${names.length - limits.names} more` : '';
  return `there is no such BPF resource in its namespace, which has ${shown}${more}`;
}
