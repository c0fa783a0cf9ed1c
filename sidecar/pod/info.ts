import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Reads a file of the downward API volume, `annotations` or `labels`: one `key="value"` a line, the value
 * quoted as Go's %q does (kubernetes pkg/fieldpath FormatMap). Throws an Error of one sentence when the file
 * cannot be read.
 */
export function readPodInfo(directory: string, file: 'annotations' | 'labels'): Record<string, string> {
  const path = join(directory, file);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(
      `the pod's ${file} cannot be read from ${path} (${code}): mount the downward API volume that the webhook adds`,
    );
  }
  return parsePodInfo(text);
}

export function parsePodInfo(text: string): Record<string, string> {
  const entries = text.split('\n').flatMap((line): [string, string][] => {
    const equals = line.indexOf('="');
    return equals > 0 && line.endsWith('"')
      ? [[line.slice(0, equals), unquoteGo(line.slice(equals + 2, -1))]]
      : [];
  });
  return Object.fromEntries(entries);
}

const simpleEscapes: Record<string, string> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
  "'": "'",
};

const escapes = /\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))/g;

function unquoteGo(quoted: string): string {
  return quoted.replace(escapes, (_, byte, short, long, simple) => {
    const hex = byte ?? short ?? long;
    return hex === undefined
      ? (simpleEscapes[simple] ?? simple)
      : String.fromCodePoint(Number.parseInt(hex, 16));
  });
}
