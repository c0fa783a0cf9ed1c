import { setImmediate } from 'node:timers/promises';

/** Milliseconds of work after which others get their turn. */
const turn = 5;

/** The beginning of a body, and what gives the rest where there is more. */
export interface Gathered {
  start: Buffer[];
  rest?: AsyncGenerator<Buffer>;
}

/** The same pieces, made with turns of the event loop in between, so that a long scrape keeps nobody waiting. */
export async function* takingTurns(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let since = performance.now();
  for await (const piece of pieces) {
    yield piece;
    if (performance.now() - since < turn) continue;
    await setImmediate();
    since = performance.now();
  }
}

/** Takes pieces until they are `limit` bytes. */
export async function gather(pieces: AsyncGenerator<Buffer>, limit: number): Promise<Gathered> {
  const first: Buffer[] = [];
  for (let size = 0; size < limit; ) {
    const { done, value } = await pieces.next();
    if (done) return { start: first };
    first.push(value);
    size += value.length;
  }
  return { start: first, rest: pieces };
}

/** The beginning and the rest as one again. */
export async function* whole({ start, rest }: Gathered): AsyncGenerator<Buffer> {
  try {
    for (let piece = start.shift(); piece !== undefined; piece = start.shift()) yield piece;
    if (rest) yield* rest;
  } finally {
    // Who has gone before the rest began does not end it otherwise.
    await rest?.return(undefined);
  }
}
