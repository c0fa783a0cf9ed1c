import { namesOf } from '../contract/metric-names.ts';
import { createSeriesRoom, type SeriesRoom } from './bounds.ts';

/** What the probes of a sidecar have together. */
export interface Shares {
  room: SeriesRoom;
  names: NameClaims;
}

/** Whose the names of families and samples are: two of one name would break the scrape. */
export interface NameClaims {
  /**
   * Gives what releases the names. A probe may claim names twice, while a new version of it takes over. Throws an Error of
   * one sentence, and claims nothing, when another probe has one of the names.
   */
  claim(probe: string, metrics: readonly { type: string; name: string }[]): () => void;
}

export function createShares(): Shares {
  return { room: createSeriesRoom(), names: createNameClaims() };
}

function createNameClaims(): NameClaims {
  const claims = new Set<{ probe: string; names: ReadonlySet<string> }>();
  return {
    claim(probe, metrics) {
      const others = [...claims].filter((claim) => claim.probe !== probe);
      for (const { type, name } of metrics)
        for (const wanted of namesOf(type, name)) {
          const owner = others.find(({ names }) => names.has(wanted));
          if (owner !== undefined)
            throw new Error(
              `metric ${name}: the name ${wanted} is already one of probe ${owner.probe}; give the metric another name`,
            );
        }
      const claim = { probe, names: new Set(metrics.flatMap(({ type, name }) => [...namesOf(type, name)])) };
      claims.add(claim);
      return () => void claims.delete(claim);
    },
  };
}
