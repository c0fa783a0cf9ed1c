import { isDeepStrictEqual } from 'node:util';
import { annotationPrefix, idLabel, scrapeDuration } from '../../sidecar/contract/annotations.ts';
import { identityShape } from '../admission/identity.ts';
import { readStatus } from '../admission/metadata.ts';
import type { ApiObject } from '../kubernetes/watch.ts';

/** What is kept in mind of an injected pod: there may be 100,000. */
export interface InjectedPod {
  namespace: string;
  name: string;
  uid: string;
  /** Of the label `bpf.sh/id`; undefined where there is none that we could have given. */
  id: string | undefined;
  /** Undefined where the status annotation does not tell. */
  port: number | undefined;
  /** As annotated; undefined also where the annotation is malformed. */
  interval: string | undefined;
  timeout: string | undefined;
  /** What it runs: of the programs that it was created with, as others are not mounted, those that it names now. */
  programs: readonly string[];
}

const none: readonly string[] = [];

/**
 * Reads the metadata of a pod, of which whoever may change it may have made anything; returns `before` where that says
 * the same. Pure.
 */
export function readInjectedPod({ metadata }: ApiObject, before?: InjectedPod): InjectedPod {
  const { namespace = '', name, uid = '', labels, annotations } = metadata;
  const id = labels?.[idLabel];
  const status = readStatus({ metadata });
  const duration = (annotation: string) => {
    const value = annotations?.[annotation];
    return value !== undefined && scrapeDuration(value) !== undefined ? value : undefined;
  };
  const pod: InjectedPod = {
    namespace,
    name,
    uid,
    id: id !== undefined && identityShape.test(id) ? id : undefined,
    port: status?.port,
    interval: duration('bpf.sh/scrape-interval'),
    timeout: duration('bpf.sh/scrape-timeout'),
    programs: programsOf(annotations?.[`${annotationPrefix}programs`], status?.programs),
  };
  return before && isDeepStrictEqual(pod, before) ? before : pod;
}

function programsOf(asked: string | undefined, mounted: readonly string[] | undefined): readonly string[] {
  if (!asked || !mounted) return none;
  const names = new Set(asked.split(',').map((name) => name.trim()));
  const programs = mounted.filter((name) => names.has(name));
  return programs.length === 0 ? none : programs;
}
