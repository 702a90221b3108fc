import { type SqlMigrations, sqlWords } from '@dbmanager/core';
import { POSTGRES_LEXIS } from './postgres-lexis.js';
import { quoteIdentifier } from './postgres-target.js';

/** Statements that PostgreSQL refuses inside a transaction. */
const OUTSIDE =
  /^(?:VACUUM|ALTER SYSTEM|(?:CREATE|DROP) (?:DATABASE|TABLESPACE)|(?:CREATE(?: UNIQUE)?|DROP) INDEX CONCURRENTLY|REINDEX\b.* CONCURRENTLY)\b/;
/** As many words of a statement as tell that. */
const WORDS = 6;

/** First words of statements that read and write rows, and of those that belong to transactions. */
const DATA: ReadonlySet<string | undefined> = new Set(
  'DELETE EXPLAIN INSERT RELEASE ROLLBACK SAVEPOINT SELECT SET SHOW UPDATE UPSERT VALUES WITH'.split(' '),
);

/** Schema changes are part of transactions. */
const COMMON: SqlMigrations = {
  transactionalDdl: true,
  outsideTransactions: (statement) => OUTSIDE.test([...sqlWords(statement, POSTGRES_LEXIS)].slice(0, WORDS).join(' ')),
  scripts: 'whole',
  errorLine,
  flag: { type: 'boolean', on: 'true', off: 'false' },
  hasTable: (name) => ({
    sql: 'select 1 where to_regclass($1) is not null',
    params: [name.map(quoteIdentifier).join('.')],
  }),
};

/** PostgreSQL counts characters, from 1. */
function errorLine(error: unknown, sql: string): number | undefined {
  const position = Number((error as { readonly position?: string }).position);
  if (!(position > 0)) return undefined;
  return [...sql].slice(0, position - 1).filter((char) => char === '\n').length + 1;
}

/** golang-migrate has the database as the path of its URL. */
function scope(name: readonly string[]) {
  const [table, schema = null] = name.toReversed();
  const sql = "select coalesce($1, current_schema()) as schema, $2::text as table, '/' || current_database() as path";
  return { sql, params: [schema, table] };
}

/** Locks of sessions. */
export const POSTGRES_MIGRATIONS: SqlMigrations = {
  ...COMMON,
  lock: {
    held: 'by-session',
    scope,
    take: (id) => ({ sql: 'select pg_try_advisory_lock($1) as locked', params: [id] }),
    give: (id) => ({ sql: 'select pg_advisory_unlock($1)', params: [id] }),
  },
};

/** Behind a pooler that lends connections for a transaction, a lock lasts no longer than that. */
export const POOLED_MIGRATIONS: SqlMigrations = {
  ...COMMON,
  lock: {
    held: 'by-step',
    scope,
    take: (id) => ({ sql: 'select pg_try_advisory_xact_lock($1) as locked', params: [id] }),
  },
};

/**
 * CockroachDB has no advisory locks, and advises against changes of a schema inside transactions: some of them are done after
 * the commit only, and can fail then.
 */
export const COCKROACHDB_MIGRATIONS: SqlMigrations = {
  ...COMMON,
  transactionalDdl: false,
  outsideTransactions(statement) {
    const { value } = sqlWords(statement, POSTGRES_LEXIS).next();
    return !DATA.has(value ?? undefined);
  },
  scripts: 'by-statement',
  lock: { held: 'by-row' },
};
