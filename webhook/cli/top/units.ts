const dash = '-';

/** A count or rate in at most seven characters: `0`, `4.7`, `812`, `12,345`, `1.2M`. */
export function formatNumber(value: number): string {
  if (value >= 999_950) return `${(value / 1e6).toFixed(1)}M`;
  if (value >= 99.95 || Number.isInteger(value)) return Math.round(value).toLocaleString('en');
  return value.toFixed(1);
}

/** Bytes per second: `83.1 KiB/s`. */
export function formatBytes(value: number): string {
  const units = ['B/s', 'KiB/s', 'MiB/s', 'GiB/s'];
  const power = Math.min(Math.floor(Math.log2(Math.max(value, 1)) / 10), units.length - 1);
  return `${formatNumber(value / 1024 ** power)} ${units[power]}`;
}

/** Seconds, with a unit that fits: `4.0 µs`, `31 ms`, `2.1 s`. */
export function formatSeconds(value: number | undefined): string {
  if (value === undefined) return dash;
  const [scaled, unit] = value < 1e-3 ? [value * 1e6, 'µs'] : value < 1 ? [value * 1e3, 'ms'] : [value, 's'];
  return `${scaled < 9.95 ? scaled.toFixed(1) : Math.round(scaled)} ${unit}`;
}

/** A share of a whole, which may be more than one: `12.5 %` of a CPU, `150 %` of more. */
export function formatShare(value: number): string {
  return `${formatNumber(Math.round(value * 1000) / 10)} %`;
}
