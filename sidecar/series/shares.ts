import { namesOf } from '../contract/metric-names.ts';
import { createSeriesRoom, type SeriesRoom } from './bounds.ts';

/** What the probes of a sidecar have together. */
export interface Shares {
  room: SeriesRoom;
  names: NameClaims;
}

/** Whose the names of families and samples are: two of one name would break the scrape. */
export interface NameClaims {
  /** Throws an Error of one sentence, and claims nothing, when another probe has one of the names. */
  claim(probe: string, metrics: readonly { type: string; name: string }[]): void;
  release(probe: string): void;
}

export function createShares(): Shares {
  return { room: createSeriesRoom(), names: createNameClaims() };
}

function createNameClaims(): NameClaims {
  const owners = new Map<string, string>();
  return {
    claim(probe, metrics) {
      for (const { type, name } of metrics)
        for (const taken of namesOf(type, name)) {
          const owner = owners.get(taken);
          if (owner !== undefined && owner !== probe)
            throw new Error(
              `metric ${name}: the name ${taken} is already one of probe ${owner}; give the metric another name`,
            );
        }
      for (const { type, name } of metrics) for (const taken of namesOf(type, name)) owners.set(taken, probe);
    },
    release(probe) {
      for (const [name, owner] of owners) if (owner === probe) owners.delete(name);
    },
  };
}
