/** What the numbers of a family are, as the last word of its name tells. */
export type Unit = 'seconds' | 'bytes' | 'ratio' | 'count';

export function unitOf(family: string): Unit {
  const [, unit] = /_(seconds|bytes|ratio)(?:_total)?$/.exec(family) ?? [];
  return (unit as Unit | undefined) ?? 'count';
}

const absent = '–';

/** A number with its unit: `51 µs`, `83.1 KiB`, `12.5 %`, `12,345`. */
export function format(value: number | null | undefined, unit: Unit): string {
  if (value === null || value === undefined || Number.isNaN(value)) return absent;
  if (value === Number.POSITIVE_INFINITY) return '∞';
  if (value < 0) return `−${format(-value, unit)}`;
  switch (unit) {
    case 'seconds':
      return formatSeconds(value);
    case 'bytes':
      return scaled(value, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB']);
    case 'ratio':
      return `${digits(value * 100)} %`;
    case 'count':
      return value >= 1e7 ? scaled(value, 1000, ['', 'k', 'M', 'G', 'T']).replace(' ', '') : digits(value);
  }
}

/** How much of it there is in a second: `3.2/s`, `83.1 KiB/s`, `4 ms/s`. */
export function formatRate(value: number | null | undefined, unit: Unit): string {
  const text = unit === 'seconds' && value === 0 ? '0 ms' : format(value, unit);
  return text === absent ? text : `${text}/s`;
}

function formatSeconds(value: number): string {
  if (value === 0) return '0 s';
  if (value < 1e-6) return `${digits(value * 1e9)} ns`;
  if (value < 1e-3) return `${digits(value * 1e6)} µs`;
  if (value < 1) return `${digits(value * 1e3)} ms`;
  return `${digits(value)} s`;
}

function scaled(value: number, base: number, units: readonly string[]): string {
  let power = 0;
  while (value >= base && power < units.length - 1) {
    value /= base;
    power++;
  }
  return `${digits(value)} ${units[power]}`;
}

/** Three digits that say something; whole numbers whole. */
function digits(value: number): string {
  if (value >= 99.95 || Number.isInteger(value)) return Math.round(value).toLocaleString('en');
  if (value >= 9.995) return value.toFixed(1);
  return value >= 0.0995 ? value.toFixed(2) : String(Number(value.toPrecision(2)));
}
