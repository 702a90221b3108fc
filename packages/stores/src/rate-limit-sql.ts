import { MSSQL_DIALECT } from './dialects/mssql-dialect.js';
import { MYSQL_DIALECT } from './dialects/mysql-dialect.js';
import { POSTGRES_DIALECT } from './dialects/postgres-dialect.js';
import { SQLITE_DIALECT } from './dialects/sqlite-dialect.js';
import type { StoreDialect } from './store-dialect.js';

/** How hits are counted on one kind of database: in one statement, which no other gets between. */
export interface RateLimitSql {
  /**
   * The clock of the database, in milliseconds since 1970, as an expression that has one value throughout a statement. That clock
   * counts, as those of several processes differ.
   */
  readonly now: string;
  /**
   * A statement that counts a hit, beginning a window where there is none or where it is over. Its parameters are the key, the length of the
   * window in milliseconds and the cost of the hit; when `limited` a last one, the limit: a hit beyond it is not counted.
   */
  count(table: string, limited: boolean): string;
  /** What tells of a hit that was counted: a row (`window_start`, `hits`, `read_at`), or the sum of hits as the id of an insert. */
  readonly tells: 'row' | 'id';
  /**
   * Ends the SELECT of a row that the statement before has locked, where a transaction would be shown that row as it was when the
   * transaction began.
   */
  readonly asItIs?: string;
}

/** Columns of a row that tells of a counter. */
export interface RateLimitRow {
  readonly window_start: unknown;
  readonly hits: unknown;
  readonly read_at: unknown;
}

/** What SQLite and PostgreSQL have in common. `excluded` is the row of a window that begins now. */
function standard(now: string): RateLimitSql {
  const ends = 'r.window_start + (excluded.expires_at - excluded.window_start)';
  const over = `${ends} <= excluded.window_start`;
  return {
    now,
    tells: 'row',
    count: (table, limited) => `insert into ${table} as r (rate_key, window_start, expires_at, hits)
values (?, ${now}, ${now} + ?, ?)
on conflict (rate_key) do update set
  hits = case when ${over} then excluded.hits else r.hits + excluded.hits end,
  expires_at = case when ${over} then excluded.expires_at else ${ends} end,
  window_start = case when ${over} then excluded.window_start else r.window_start end
${limited ? `where ${over} or r.hits + excluded.hits <= ?` : ''}
returning window_start, hits, ${now} as read_at`,
  };
}

/** Not `now()`, which stands still in a transaction. */
const POSTGRES = standard('floor(extract(epoch from statement_timestamp()) * 1000)::bigint');

const SQLITE = standard(`cast(unixepoch('subsec') * 1000 as integer)`);

/**
 * MySQL has no RETURNING, and no condition for the update of an upsert: `last_insert_id(n)` makes n the id that the statement answers
 * with (MySQL Reference Manual, "Information Functions"), here the sum of hits, and 0 for one that was not counted. Columns are set in
 * the order written, and what is set later sees them changed: the beginning of the window, by which the rest goes, comes last.
 */
function mysql(): RateLimitSql {
  // Not unix_timestamp(), which takes its argument to be in the session's zone and has no answer for an hour that is there twice.
  const now = `(timestampdiff(microsecond, '1970-01-01', utc_timestamp(3)) div 1000)`;
  const ends = 'window_start + (values(expires_at) - values(window_start))';
  const over = `${ends} <= values(window_start)`;
  return {
    now,
    tells: 'id',
    asItIs: ' lock in share mode',
    count(table, limited) {
      const next = 'last_insert_id(hits + values(hits))';
      const within = limited
        ? `when hits + values(hits) <= ? then ${next} else hits + last_insert_id(0)`
        : `else ${next}`;
      return `insert into ${table} (rate_key, window_start, expires_at, hits)
values (?, ${now}, ${now} + ?, last_insert_id(?))
on duplicate key update
  hits = case when ${over} then last_insert_id(values(hits)) ${within} end,
  expires_at = case when ${over} then values(expires_at) else ${ends} end,
  window_start = case when ${over} then values(window_start) else window_start end`;
    },
  };
}

function mssql(): RateLimitSql {
  // In two parts, as the milliseconds since 1970 are more than an int holds, and not every server that speaks TDS has datediff_big.
  const clock = 'sysutcdatetime()';
  const days = `cast(datediff(day, '19700101', ${clock}) as bigint)`;
  const now = `(${days} * 86400000 + datediff(millisecond, cast(${clock} as date), ${clock}))`;
  const ends = 'kept.window_start + given.window_ms';
  const over = `${ends} <= given.window_start`;
  return {
    now,
    tells: 'row',
    // Two that merge the same row at once wait for each other: without `holdlock` both would find it missing.
    count: (table, limited) => `merge into ${table} with (holdlock) as kept
using (select ? as rate_key, ? as window_ms, ? as hits, ${now} as window_start) as given
on kept.rate_key = given.rate_key collate Latin1_General_100_BIN2
when matched ${limited ? `and (${over} or kept.hits + given.hits <= ?) ` : ''}then update set
  hits = case when ${over} then given.hits else kept.hits + given.hits end,
  expires_at = case when ${over} then given.window_start + given.window_ms else ${ends} end,
  window_start = case when ${over} then given.window_start else kept.window_start end
when not matched then insert (rate_key, window_start, expires_at, hits)
  values (given.rate_key, given.window_start, given.window_start + given.window_ms, given.hits)
output inserted.window_start, inserted.hits, ${now} as read_at;`,
  };
}

/** By the dialect of their table. */
export const RATE_LIMIT_SQL: ReadonlyMap<StoreDialect, RateLimitSql> = new Map([
  [SQLITE_DIALECT, SQLITE],
  [POSTGRES_DIALECT, POSTGRES],
  [MYSQL_DIALECT, mysql()],
  [MSSQL_DIALECT, mssql()],
]);
