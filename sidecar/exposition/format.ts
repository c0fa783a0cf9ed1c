import type { Family } from '../series/family.ts';

/** Writes families in the order given, as UTF-8. `constantLabels` are rendered label pairs put on every series. */
export interface Format {
  contentType: string;
  render(families: Iterable<Family>, constantLabels: string): Buffer;
}
