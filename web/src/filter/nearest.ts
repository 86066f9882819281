// The word that was probably meant.

/** Letters to add, drop, change, or swap with their neighbour. */
function distance(a: string, b: string): number {
  const d = Array.from({ length: a.length + 1 }, (_, i) => [i]);
  for (let j = 1; j <= b.length; j++) d[0][j] = j;
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      d[i][j] = Math.min(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) d[i][j] = Math.min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.length][b.length];
}

/** A third of the letters wrong is still a slip; more is another word. */
export function nearest(text: string, words: readonly string[]): string | null {
  let best: string | null = null;
  if (text.length > 64) return null;
  let least = Math.floor((text.length + 2) / 3) + 1;
  for (const word of words) {
    const d = distance(text, word);
    if (d < least && d < word.length) [best, least] = [word, d];
  }
  return best;
}
