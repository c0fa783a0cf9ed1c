/** What keeps series from growing without bound, and counts what that leaves out. */

/** More would hurt the Prometheus that stores them. */
const maxSeriesOfFamily = 10_000;
/** Of all series of a family: 20 MiB of them. Only histograms of more than 256 buckets have fewer series for it. */
const maxNumbersOfFamily = 2_600_000;
const maxSeriesOfSidecar = 100_000;

/** Series of all probes of a sidecar, against the most that they may be together. */
export interface SeriesRoom {
  /** Whether there is room for one more, which is then taken. */
  take(): boolean;
  give(series: number): void;
}

export function createSeriesRoom(limit = maxSeriesOfSidecar): SeriesRoom {
  let taken = 0;
  return {
    take() {
      if (taken >= limit) return false;
      taken++;
      return true;
    },
    give(series) {
      taken -= series;
    },
  };
}

/** What a probe has left out of its series since it was started. */
export interface Losses {
  /** Series, because their family was full; each counts once per read. */
  familyFull: number;
  /** Series, because the sidecar had its most; each counts once per read. */
  sidecarFull: number;
  /** Label values that were too long; here and below each counts when its key is new. */
  cutValues: number;
  /** Label values that became `~other`. */
  foldedValues: number;
  /** Entries whose key a decoder could not read. */
  decodeErrors: number;
  /** Labels of exemplars that were too long together; counted once per read. */
  exemplarLabels: number;
}

export function createLosses(): Losses {
  return {
    familyFull: 0,
    sidecarFull: 0,
    cutValues: 0,
    foldedValues: 0,
    decodeErrors: 0,
    exemplarLabels: 0,
  };
}

/** The bounds that the families of a probe have. */
export interface Bounds {
  seriesOfFamily: number;
  numbersOfFamily: number;
  room: SeriesRoom;
  losses: Losses;
}

export function createBounds(room: SeriesRoom = createSeriesRoom()): Bounds {
  return {
    seriesOfFamily: maxSeriesOfFamily,
    numbersOfFamily: maxNumbersOfFamily,
    room,
    losses: createLosses(),
  };
}
