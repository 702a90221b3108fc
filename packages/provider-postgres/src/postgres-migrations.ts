import { type SqlMigrations, sqlWords } from '@dbmanager/core';
import { POSTGRES_LEXIS } from './postgres-lexis.js';
import { quoteIdentifier } from './postgres-target.js';

/** Statements that PostgreSQL refuses inside a transaction. */
const OUTSIDE =
  /^(?:VACUUM|ALTER SYSTEM|(?:CREATE|DROP) (?:DATABASE|TABLESPACE)|(?:CREATE(?: UNIQUE)?|DROP) INDEX CONCURRENTLY|REINDEX\b.* CONCURRENTLY)\b/;
/** As many words of a statement as tell that. */
const WORDS = 6;

/** Schema changes are part of transactions. */
const COMMON: SqlMigrations = {
  transactionalDdl: true,
  outsideTransactions: (statement) => OUTSIDE.test([...sqlWords(statement, POSTGRES_LEXIS)].slice(0, WORDS).join(' ')),
  scripts: 'whole',
  flag: { type: 'boolean', on: 'true', off: 'false' },
  hasTable: (name) => ({
    sql: 'select 1 where to_regclass($1) is not null',
    params: [name.map(quoteIdentifier).join('.')],
  }),
};

/** Advisory locks hold for one database. */
export const POSTGRES_MIGRATIONS: SqlMigrations = {
  ...COMMON,
  lock: {
    take: (name) => ({ sql: 'select pg_try_advisory_lock(hashtextextended($1, 0)) as locked', params: [name] }),
    give: (name) => ({ sql: 'select pg_advisory_unlock(hashtextextended($1, 0))', params: [name] }),
  },
};

/** Behind a pooler that lends connections for a transaction, a lock lasts no longer than that. */
export const POOLED_MIGRATIONS: SqlMigrations = {
  ...COMMON,
  stepLock: (name) => ({ sql: 'select pg_try_advisory_xact_lock(hashtextextended($1, 0)) as locked', params: [name] }),
};
