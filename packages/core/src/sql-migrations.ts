import type { Statement } from './sql.js';

/** A lock by name that belongs to the connection that took it and dies with it. */
export interface SqlSessionLock {
  /** Tries to take it without waiting: one row, whose `locked` is true or 1 when it was got. */
  take(name: string): Statement;
  /** Gives it back, on the connection that holds it. */
  give(name: string): Statement;
}

/** What changing a schema step by step needs to know of an engine. */
export interface SqlMigrations {
  /** Schema changes are rolled back with their transaction. */
  readonly transactionalDdl: boolean;
  /**
   * True for a statement that cannot be, or be rolled back, inside a transaction. Left out: every statement can.
   */
  outsideTransactions?(statement: string): boolean;
  /** How a text of several statements is sent: as it is, or one by one. */
  readonly scripts: 'whole' | 'by-statement';
  /** The type of a column that is true or false, and how the two are written. */
  readonly flag: { readonly type: string; readonly on: string; readonly off: string };
  /** Gives a row when there is a table of this name; the last part is the table, one before it the schema. */
  hasTable(name: readonly string[]): Statement;
  /** Held for a whole run. Left out: sessions cannot hold one. */
  readonly lock?: SqlSessionLock;
  /**
   * Where there is no `lock`: tries to take one, as {@link SqlSessionLock.take}, that is given back with the transaction of a
   * step. Left out: a transaction keeps others out by itself, as nobody else can write before it has ended.
   */
  stepLock?(name: string): Statement;
}
