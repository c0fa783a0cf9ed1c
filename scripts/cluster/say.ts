/** Tells somebody who waits what is done, a line each. */
export type Say = (line: string) => void;

/** How long it took since `performance.now()` was `began`. */
export function seconds(began: number): string {
  return `${((performance.now() - began) / 1000).toFixed(1)} s`;
}
