const pieceLength = 64 * 1024;

/** Collects text, which is taken from it piece by piece. */
export interface Page {
  write(text: string): void;
  /** Whether it is time to take a piece. */
  isFull(): boolean;
  /** What was written since the last piece, as UTF-8. */
  take(): Buffer;
}

export function createPage(): Page {
  let text = '';
  return {
    write(part) {
      text += part;
    },
    isFull: () => text.length >= pieceLength,
    take() {
      const piece = Buffer.from(text);
      text = '';
      return piece;
    },
  };
}
