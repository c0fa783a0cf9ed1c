import { type Finding, ok, warn } from './finding.ts';
import type { Judgement } from './judge-pod.ts';

/** Pods that are listed of each sort; the rest is counted. */
const room = 20;

/** Collects what there is to say of the pods of a cluster, of which there may be 100,000. */
export interface PodReport {
  /** `id` is `namespace/name`. */
  add(id: string, judgement: Judgement): void;
  findings(): Finding[];
}

/** `image` is that of the sidecar as configured; undefined where nobody knows it. */
export function createPodReport(image: string | undefined): PodReport {
  const without = createList();
  const outdated = createList();
  let current = 0;
  return {
    add(id, judgement) {
      if (judgement.state === 'without')
        without.add(`pod ${id} has no sidecar (${judgement.cause}): ${judgement.message}`, judgement.cause);
      else if (image === undefined || judgement.image === image) current++;
      else outdated.add(`pod ${id} has a sidecar of ${judgement.image}`, judgement.image);
    },
    findings() {
      const configured = image === undefined ? '' : ` of ${image}`;
      return [
        ok(`pods with a sidecar${configured}: ${current}`),
        ...without.findings('more pods that ask for a sidecar have none'),
        ...(outdated.count() > 0
          ? [warn(`pods with another sidecar than configured: ${outdated.count()}; restart their workloads`)]
          : []),
        ...outdated.findings('more pods have another sidecar'),
      ];
    },
  };
}

/** The first of many, and what the others come to, by their cause. */
function createList() {
  const listed: Finding[] = [];
  const rest = new Map<string, number>();
  const sum = () => [...rest.values()].reduce((total, count) => total + count, 0);
  return {
    add(text: string, cause: string) {
      if (listed.length < room) listed.push(warn(text));
      else if (rest.has(cause) || rest.size < room) rest.set(cause, (rest.get(cause) ?? 0) + 1);
      else rest.set('others', (rest.get('others') ?? 0) + 1);
    },
    count: () => listed.length + sum(),
    findings(more: string): Finding[] {
      if (rest.size === 0) return listed;
      const causes = [...rest].map(([cause, count]) => `${count} ${cause}`).join(', ');
      return [...listed, warn(`${sum()} ${more}: ${causes}`)];
    },
  };
}
