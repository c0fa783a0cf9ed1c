export const levels = ['debug', 'info', 'warn', 'error'] as const;
export type Level = (typeof levels)[number];

export type Log = (level: Level, msg: string, fields?: Readonly<Record<string, unknown>>) => void;

const maxFieldLength = 1024;

/**
 * The log of both halves, one JSON object per line: `time` (RFC 3339), `level`, `msg`, then the fields.
 * Strings are cut at 1,024 characters, so that nobody's input makes a line without end.
 */
export function createLog(write: (line: string) => void): Log {
  return (level, msg, fields = {}) => {
    const line = { time: new Date().toISOString(), level, msg, ...fields };
    write(`${JSON.stringify(line, (_, value) => (typeof value === 'string' ? clip(value) : value))}\n`);
  };
}

function clip(text: string): string {
  return text.length > maxFieldLength ? `${text.slice(0, maxFieldLength)}…` : text;
}
