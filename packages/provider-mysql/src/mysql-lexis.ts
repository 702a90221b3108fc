import type { SqlLexis } from '@dbmanager/core';

/** How MySQL and MariaDB read, in their default `sql_mode`. */
export const MYSQL_LEXIS: SqlLexis = {
  hashComments: true,
  executableComments: true,
  backslashes: 'all-strings',
  nameQuotes: ['`'],
};
