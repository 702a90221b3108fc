import type { SqlLexis } from '@dbmanager/core';

/** How PostgreSQL reads a text, with `standard_conforming_strings` on: its default since 9.1. */
export const POSTGRES_LEXIS: SqlLexis = {
  nestedComments: true,
  lineEnds: 'cr-or-lf',
  dollarQuotes: true,
  backslashes: 'e-strings',
};
