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
 * Each piece of the text becomes bytes as soon as it is long enough: as one string of ten thousand lines it
 * would be a tree of small ones, which V8 carries through several garbage collections.
 */
export function createPage(): Page {
  let piece = '';
  return {
    write(text) {
      piece += text;
    },
    isFull: () => piece.length >= pieceLength,
    take() {
      const bytes = Buffer.from(piece);
      piece = '';
      return bytes;
    },
  };
}
