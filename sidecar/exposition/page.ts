const pieceLength = 16 * 1024;

/** Collects the text of a response. */
export interface Page {
  write(text: string): void;
  toBuffer(): Buffer;
}

/**
 * Each piece of the text becomes bytes as soon as it is long enough: as one string of ten thousand lines it
 * would be a tree of small ones, which V8 carries through several garbage collections.
 */
export function createPage(): Page {
  const pieces: Buffer[] = [];
  let piece = '';
  const flush = () => {
    pieces.push(Buffer.from(piece));
    piece = '';
  };
  return {
    write(text) {
      piece += text;
      if (piece.length >= pieceLength) flush();
    },
    toBuffer() {
      flush();
      return Buffer.concat(pieces);
    },
  };
}
