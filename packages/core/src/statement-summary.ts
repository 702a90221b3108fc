/** Longest summary. */
const LONGEST = 120;

/** The beginning of a statement with what `literals`, a global pattern, matches masked: for leak reports. */
export function summariseStatement(sql: string, literals: RegExp): string {
  // Cut late: a literal that the cut had opened would be shown.
  const masked = sql.slice(0, LONGEST * 8).replace(literals, '?');
  const line = masked.replace(/\s+/g, ' ').trim();
  return line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line;
}
