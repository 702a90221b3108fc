import type { SqlLexis } from '@dbmanager/core';

/** How SQL Server reads. */
export const MSSQL_LEXIS: SqlLexis = {
  nestedComments: true,
  nameQuotes: ['['],
  nameSigns: '@#',
  semicolons: 'optional',
};
