import type { Statement } from './sql.js';

/**
 * A lock that keeps other processes out, by the number that golang-migrate gives it: the two tools do not meet.
 */
interface NumberedLock {
  /** One row, whose values are in order what golang-migrate makes the number of; `table` as in {@link SqlMigrations.hasTable}. */
  scope(table: readonly string[]): Statement;
  /** Tries to take it without waiting: one row, whose `locked` is true or 1 when it was got. */
  take(id: number): Statement;
}

/** A lock that belongs to the session that took it, and dies with it: held for a whole run. */
export interface SqlSessionLock extends NumberedLock {
  readonly held: 'by-session';
  /** Gives it back, in the session that holds it. */
  give(id: number): Statement;
}

/** A lock that is given back with the transaction of each step, where sessions cannot hold one. */
export interface SqlStepLock extends NumberedLock {
  readonly held: 'by-step';
}

/**
 * A row that a transaction of a second connection keeps locked for a whole run, where the database has no locks by number. It
 * must know `for update skip locked` and `on conflict do nothing`.
 */
export interface SqlRowLock {
  readonly held: 'by-row';
}

/** What changing a schema step by step needs to know of an engine. */
export interface SqlMigrations {
  /** Schema changes are rolled back with their transaction. */
  readonly transactionalDdl: boolean;
  /**
   * True for a statement that cannot be, or be rolled back, inside a transaction. Left out: every statement can.
   */
  outsideTransactions?(statement: string): boolean;
  /** How a text of several statements is sent: as it is, one by one, or in parts with a line `GO` between them. */
  readonly scripts: 'whole' | 'by-statement' | 'batches';
  /** The line of `sql`, from 1, at which an error of the driver says that it is; undefined when it does not say. */
  errorLine?(error: unknown, sql: string): number | undefined;
  /** The type of a column that is true or false, and how the two are written. */
  readonly flag: { readonly type: string; readonly on: string; readonly off: string };
  /** Gives a row when there is a table of this name; the last part is the table, one before it the schema. */
  hasTable(name: readonly string[]): Statement;
  /** Left out: a transaction keeps others out by itself, as nobody else can write before it has ended. */
  readonly lock?: SqlSessionLock | SqlStepLock | SqlRowLock;
}
