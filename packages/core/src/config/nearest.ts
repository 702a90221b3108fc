/**
 * Unknown keys of one configuration that a near miss is sought for. The search costs a tenth of a millisecond a key, and
 * nobody who mistyped more than these reads on: a file of nothing else would take seconds.
 */
export const MAX_NEAR_MISSES = 100;

/** Longest word a suggestion is sought for; no key is longer. */
const MAX_WORD_LENGTH = 40;

/**
 * The candidate that `word` is most likely a misspelling of, or undefined when none is near: at most a third of the word
 * may differ, or one letter of a short one, ignoring case. The earliest of equally near ones.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > MAX_WORD_LENGTH) return undefined;
  const lower = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(word.length > 2 ? 1 : 0, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= bestDistance) continue;
    const distance = editDistance(lower, candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** `; did you mean "x"?` for the nearest candidate, or the empty string. */
export function suggestion(word: string, candidates: Iterable<string>): string {
  const near = nearest(word, candidates);
  return near === undefined ? '' : `; did you mean "${near}"?`;
}

/**
 * Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours. Written out because
 * core has no dependencies and the common packages count a swap, the likeliest slip in a key, as two edits.
 */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const substitution = a[row - 1] === b[column - 1] ? 0 : 1;
      let cost = Math.min(
        (last[column] as number) + 1,
        (current[column - 1] as number) + 1,
        (last[column - 1] as number) + substitution,
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        cost = Math.min(cost, (beforeLast[column - 2] as number) + 1);
      }
      current.push(cost);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length] as number;
}
