const pieceLength = 16 * 1024;

/** Collects text, which is taken from it piece by piece. */
export interface Page {
  write(text: string): void;
  /** Whether it is time to take a piece. */
  isFull(): boolean;
  /** What was written since the last piece, as UTF-8. */
  take(): Buffer;
}

/**
 * The parts are put together once there is a piece of them: added up one after the other they would be trees of small
 * strings, which V8 carries through several garbage collections.
 */
export function createPage(): Page {
  let parts: string[] = [];
  let length = 0;
  return {
    write(text) {
      parts.push(text);
      length += text.length;
    },
    isFull: () => length >= pieceLength,
    take() {
      const piece = Buffer.from(parts.join(''));
      parts = [];
      length = 0;
      return piece;
    },
  };
}
