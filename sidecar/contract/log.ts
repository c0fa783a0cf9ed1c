/** In ascending order. */
export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

export type Log = (level: LogLevel, msg: string, fields?: Readonly<Record<string, unknown>>) => void;

const maxFieldLength = 1024;

/**
 * The log of both halves, one JSON object per line: `time` (RFC 3339), `level`, `msg`, then the fields.
 * Strings are cut at 1,024 characters, so that nobody's input makes a line without end. Lines below `threshold`
 * are left out.
 */
export function createLog(write: (line: string) => void, threshold: LogLevel = 'info'): Log {
  return (level, msg, fields = {}) => {
    if (logLevels.indexOf(level) < logLevels.indexOf(threshold)) return;
    const line = { time: new Date().toISOString(), level, msg, ...fields };
    write(`${JSON.stringify(line, (_, value) => (typeof value === 'string' ? clip(value) : value))}\n`);
  };
}

function clip(text: string): string {
  return text.length > maxFieldLength ? `${text.slice(0, maxFieldLength)}…` : text;
}
