import type { Log } from '../../sidecar/contract/log.ts';
import { type Api, ApiError } from '../kubernetes/client.ts';
import { type ApiObject, type Watched, watchObjects } from '../kubernetes/watch.ts';
import { programsOff } from './allowed.ts';
import type { InvalidProgram, NamespacePrograms } from './resolve.ts';
import { bpfApi, bpfCrd, type Program, readProgram } from './resource.ts';
import type { BpfStatus } from './status.ts';

/** A `BPF` resource as it is now. */
export interface Known {
  namespace: string;
  name: string;
  uid: string;
  generation: number;
  resourceVersion: string;
  program: Program | InvalidProgram;
  status: BpfStatus;
}

/** The `BPF` resources of the cluster. */
export interface KnownPrograms {
  readonly watched: Watched<Known>;
  /** For the admission of a pod in `namespace`. */
  of(namespace: string): NamespacePrograms;
}

const notFound = 404;
const notInstalled = `the cluster has no BPF resources, because the CustomResourceDefinition ${bpfCrd} is not installed`;

/** Follows the `BPF` resources, whose programs pods of the namespaces `allowed` may have. */
export function watchKnown(api: Api, log: Log, allowed: readonly string[]): KnownPrograms {
  const byNamespace = new Map<string, Map<string, Program | InvalidProgram>>();

  function index(id: string, known: Known | undefined): void {
    const [namespace, name] = id.split('/') as [string, string];
    const programs = byNamespace.get(namespace) ?? new Map();
    if (known) byNamespace.set(namespace, programs.set(name, known.program));
    else if (programs.delete(name) && programs.size === 0) byNamespace.delete(namespace);
  }

  const watched = watchObjects<Known>(api, log, {
    path: `${bpfApi}/bpfs`,
    keep: (object, before) => readKnown(object, before, allowed),
    onChange: index,
    onMissing(missing) {
      if (missing) log('warn', 'no program of a user can run', { problem: notInstalled });
      else log('info', 'the cluster has BPF resources now');
    },
  });
  return {
    watched,
    of(namespace) {
      const off = programsOff(namespace, allowed);
      if (off !== undefined) return { off };
      if (watched.isSynced()) return { resources: byNamespace.get(namespace) ?? new Map() };
      return { unknown: unknownBecause(watched.problem()) };
    },
  };
}

function unknownBecause(problem: Error | undefined): string {
  if (problem instanceof ApiError && problem.status === notFound) return notInstalled;
  const why = problem ? `: ${problem.message}` : '';
  return `the webhook has not read the BPF resources of the cluster yet${why}`;
}

function readKnown(
  { metadata, ...rest }: ApiObject,
  before: Known | undefined,
  allowed: readonly string[],
): Known {
  const { spec, status } = rest as { spec?: unknown; status?: BpfStatus };
  const { namespace = '', name, uid = '', generation = 0, resourceVersion = '' } = metadata;
  const same = before?.uid === uid && before.generation === generation;
  const program = same ? before.program : readKnownProgram(namespace, name, spec, allowed);
  return { namespace, name, uid, generation, resourceVersion, program, status: status ?? {} };
}

/** What a `BPF` resource asks for, or why it cannot have it. */
export function readKnownProgram(
  namespace: string,
  name: string,
  spec: unknown,
  allowed: readonly string[],
): Program | InvalidProgram {
  const off = programsOff(namespace, allowed);
  // Not looked into: who may not have programs must not cost anything here.
  if (off !== undefined) return { invalid: off };
  try {
    return readProgram(name, spec);
  } catch (error) {
    return { invalid: (error as Error).message };
  }
}
