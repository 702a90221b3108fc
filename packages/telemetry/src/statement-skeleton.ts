import type { SqlLexis } from '@dbmanager/core';

/** Makes the skeleton of a statement; undefined for one that it cannot be told of at once. */
export type Skeletons = (sql: string) => string | undefined;

/**
 * Statements that differ in literals only have the same skeleton: the text with `?` for each of them. Programs that write values
 * into their texts send one that is new each time, so this is one regular expression rather than a reading of the statement;
 * what that is too simple for (comments, escapes, dollar quotes) has no skeleton.
 */
export function skeletonsOf(lexis: SqlLexis): Skeletons {
  const { backslashes, dollarQuotes, hashComments, nameQuotes = [] } = lexis;
  const hard = ['/\\*', '--'];
  if (hashComments) hard.push('#');
  if (dollarQuotes) hard.push('\\$(?!\\d)');
  if (backslashes === 'e-strings') hard.push("(?<![\\w$'\\u0080-\\uffff])[eE]'");
  if (backslashes === 'all-strings') hard.push('\\\\');
  const tooHard = new RegExp(hard.join('|'));
  const names = backslashes === 'all-strings' ? [] : [run('"')];
  if (nameQuotes.includes('`')) names.push(run('`'));
  if (nameQuotes.includes('[')) names.push('\\[(?:[^\\]]|\\]\\])*\\]');
  const strings = backslashes === 'all-strings' ? [run("'"), run('"')] : [run("'")];
  // A digit begins a number only where it does not go on a name or a placeholder.
  const number = '(?<![\\w$@#:.\\u0080-\\uffff])\\d(?:[eE][+-]|[\\w.$\\u0080-\\uffff])*';
  const pieces = new RegExp(`(${[...strings, number].join('|')})|${names.join('|') || '(?!)'}`, 'g');
  const shown = (piece: string, literal: string | undefined) => (literal === undefined ? piece : '?');
  return (sql) => (tooHard.test(sql) ? undefined : sql.replace(pieces, shown));
}

/** What stands between two of these quotes, of which a doubled one does not close. */
function run(quote: string): string {
  return `${quote}(?:[^${quote}]|${quote}${quote})*${quote}`;
}
