import { endOfQuoted, type SqlLexis } from '@dbmanager/core';
import { type ScriptStatement, splitStatements } from '@dbmanager/database';

/** A line of its own, as the tools of SQL Server have it. */
const SEPARATOR = /[ \t]*GO[ \t]*(?:\r?\n|$)/iy;

/**
 * The parts of a text between its lines `GO`, but for those in literals and comments; parts without anything but comments are
 * left out. What must stand alone in what is sent at once (`CREATE VIEW`, `CREATE PROCEDURE`) can so be in a file with others.
 */
export function splitBatches(script: string, lexis: SqlLexis): ScriptStatement[] {
  const batches: ScriptStatement[] = [];
  let from = 0;
  const end = (to: number) => {
    const sql = script.slice(from, to);
    if (splitStatements(sql, lexis).length > 0) batches.push({ sql, line: script.slice(0, from).split('\n').length });
  };
  for (let at = 0; at < script.length; ) {
    SEPARATOR.lastIndex = at;
    if ((at === 0 || script[at - 1] === '\n') && SEPARATOR.test(script)) {
      end(at);
      from = SEPARATOR.lastIndex;
      at = from;
    } else {
      at = endOfQuoted(script, at, lexis) ?? at + 1;
    }
  }
  end(script.length);
  return batches;
}
