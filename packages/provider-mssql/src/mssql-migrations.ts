import { type SqlMigrations, sqlWords } from '@dbmanager/core';
import { MSSQL_LEXIS } from './mssql-lexis.js';
import { quoteIdentifier } from './quote-identifier.js';

/** Statements that SQL Server refuses inside a transaction. */
const OUTSIDE =
  /^(?:(?:ALTER|CREATE|DROP|RESTORE) DATABASE|(?:ALTER|CREATE|DROP) FULLTEXT|BACKUP|RECONFIGURE|RESTORE|UPDATE STATISTICS)\b/;
/** As many words of a statement as tell that. */
const WORDS = 2;

/** Schema changes are part of transactions, and locks by name belong to sessions. */
export const MSSQL_MIGRATIONS: SqlMigrations = {
  transactionalDdl: true,
  outsideTransactions: (statement) => OUTSIDE.test([...sqlWords(statement, MSSQL_LEXIS)].slice(0, WORDS).join(' ')),
  scripts: 'batches',
  errorLine: (error) => (error as { readonly lineNumber?: number }).lineNumber,
  flag: { type: 'bit', on: '1', off: '0' },
  hasTable: (name) => ({
    sql: "select 1 as found where object_id(@p1, 'U') is not null",
    params: [name.map(quoteIdentifier).join('.')],
  }),
  lock: {
    held: 'by-session',
    scope(name) {
      const [, schema = null] = name.toReversed();
      return { sql: 'select coalesce(@p1, schema_name()) as [schema], db_name() as [database]', params: [schema] };
    },
    take: (id) => ({
      sql: `declare @result int;
exec @result = sp_getapplock @Resource = @p1, @LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = 0;
select case when @result >= 0 then 1 else 0 end as locked;`,
      params: [String(id)],
    }),
    give: (id) => ({ sql: "exec sp_releaseapplock @Resource = @p1, @LockOwner = 'Session'", params: [String(id)] }),
  },
};
