import { closeSync, openSync, readSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';

const chunkSize = 64 * 1024;

/**
 * The lines of a text file, by its path or open, without ever holding all of it. Closes it. Ends after `maxBytes`, so that a file of any size
 * does no harm. Throws what opening and reading throw.
 */
export function* readLines(source: string | number, maxBytes: number): Generator<string> {
  const file = typeof source === 'number' ? source : openSync(source, 'r');
  try {
    const chunk = Buffer.alloc(chunkSize);
    const decoder = new StringDecoder('utf8');
    let rest = '';
    for (let read = 0, length = -1; length !== 0 && read < maxBytes; read += length) {
      length = readSync(file, chunk, 0, Math.min(chunkSize, maxBytes - read), null);
      const lines = (rest + decoder.write(chunk.subarray(0, length))).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
    if (rest !== '') yield rest;
  } finally {
    closeSync(file);
  }
}
