import { most } from './views.ts';

const style = getComputedStyle(document.documentElement);

/** A colour of the style sheet, as it is in the light or dark scheme. */
export function colour(name: string): string {
  return style.getPropertyValue(`--${name}`).trim();
}

export function onSchemeChange(action: () => void): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', action);
}

/** Lines differ by more than colour. */
export const dashes: readonly number[][] = [[], [], [7, 3], [2, 3], [9, 3, 2, 3], [], [7, 3], [2, 3]];

const mostPlaces = 1_000;
const places = new Map<string, number>();

/** A number from 1: the same for a name in all plots, as long as there are not too many names. */
export function placeOf(name: string): number {
  if (places.size === mostPlaces) places.clear();
  const place = places.get(name) ?? places.size;
  places.set(name, place);
  return (place % most) + 1;
}

/** Colours from few to many, as numbers of red, green and blue. */
export function heatColours(steps: number): string[] {
  const stops = ['heat-few', 'heat-some', 'heat-many'].map((name) => {
    const hex = colour(name).slice(1);
    return [0, 2, 4].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
  });
  return Array.from({ length: steps }, (_, step) => {
    const position = (step / (steps - 1)) * (stops.length - 1);
    const from = Math.min(Math.floor(position), stops.length - 2);
    const share = position - from;
    const mixed = stops[from]!.map((value, index) =>
      Math.round(value + (stops[from + 1]![index]! - value) * share),
    );
    return `rgb(${mixed.join()})`;
  });
}
