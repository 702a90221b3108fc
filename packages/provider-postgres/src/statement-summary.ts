/** Longest summary. */
const LONGEST = 120;

/** The beginning of a statement with its literals masked, for leak reports. */
export function summarise(sql: string): string {
  // Cut late: a literal that the cut had opened would be shown.
  const masked = sql.slice(0, LONGEST * 8).replace(/'(?:[^']|'')*(?:'|$)|\$(\w*)\$.*?(?:\$\1\$|$)|\b\d[\d.]*\b/gs, '?');
  const line = masked.replace(/\s+/g, ' ').trim();
  return line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line;
}

/** The same for whatever pg takes as a query: a text, or an object that has one. */
export function summariseQuery(query: unknown): string {
  const text = typeof query === 'string' ? query : (query as { text?: unknown } | null)?.text;
  return typeof text === 'string' ? summarise(text) : '';
}
