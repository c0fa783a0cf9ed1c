const { compare } = new Intl.Collator('en', { numeric: true });

/** The newest of the releases that a word stands for: `newest`, a series such as `6.1`, or a release itself. */
export function chooseKernel(word: string, releases: readonly string[]): string {
  const fitting = releases.filter(
    (release) =>
      word === 'newest' || release === word || (/^\d+\.\d+$/.test(word) && release.startsWith(`${word}.`)),
  );
  const chosen = fitting.toSorted(compare).at(-1);
  if (chosen === undefined) {
    const near = releases.filter((release) => release.startsWith(word.split('.').slice(0, 2).join('.')));
    throw new Error(
      `Debian has no kernel ${word}; ${near.length > 0 ? `of that series it has ${near.join(', ')}` : `it has ${series(releases).join(', ')}`}`,
    );
  }
  return chosen;
}

function series(releases: readonly string[]): string[] {
  return [...new Set(releases.map((release) => release.split('.').slice(0, 2).join('.')))].toSorted(compare);
}
