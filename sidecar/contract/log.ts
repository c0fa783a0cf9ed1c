import type { Writable } from 'node:stream';

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

/** Bytes that wait for a reader who has stalled. */
const maxWaiting = 1024 * 1024;

/**
 * Writes lines to a stream for as long as its reader keeps up. Those that come while a mebibyte waits are left out, so that a
 * stalled reader takes no memory, and how many they were is the first line after that. A stream that fails, as with a full disk,
 * ends nothing but the log.
 */
export function createLineWriter(stream: Writable): (line: string) => void {
  let dropped = 0;
  const tell = createLog((line) => stream.write(line));
  // In the place of whoever would end the process at it.
  stream.removeAllListeners('error').on('error', () => {});
  return (line) => {
    if (stream.errored) return;
    if (stream.writableLength > maxWaiting) {
      dropped++;
      return;
    }
    if (dropped > 0) {
      tell('warn', 'lines of the log are left out: its reader was too slow', { lines: dropped });
      dropped = 0;
    }
    stream.write(line);
  };
}
