import { idLabel, scrapeDuration } from '../../sidecar/contract/annotations.ts';
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
}

/**
 * Reads the metadata of a pod, of which whoever may change it may have made anything; returns `before` where that says
 * the same. Pure.
 */
export function readInjectedPod({ metadata }: ApiObject, before?: InjectedPod): InjectedPod {
  const { namespace = '', name, uid = '', labels, annotations } = metadata;
  const id = labels?.[idLabel];
  const duration = (annotation: string) => {
    const value = annotations?.[annotation];
    return value !== undefined && scrapeDuration(value) !== undefined ? value : undefined;
  };
  const pod: InjectedPod = {
    namespace,
    name,
    uid,
    id: id !== undefined && identityShape.test(id) ? id : undefined,
    port: readStatus({ metadata })?.port,
    interval: duration('bpf.sh/scrape-interval'),
    timeout: duration('bpf.sh/scrape-timeout'),
  };
  const isSame =
    before && (Object.keys(pod) as (keyof InjectedPod)[]).every((field) => pod[field] === before[field]);
  return isSame ? before : pod;
}
