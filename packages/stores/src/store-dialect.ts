import type { Statement } from '@dbmanager/core';
import type { StoreColumn, StoreTable } from './store-table.js';

/** A row that is written whether it is there or not. */
export interface Upsert<C extends string = string> {
  readonly table: StoreTable<C>;
  /** The table's name with its prefix. */
  readonly name: string;
  /** The columns that are given, the primary key among them: a `?` for each, in this order. */
  readonly columns: readonly NoInfer<C>[];
  /** What a row that is there keeps. Default: nothing but its key. */
  readonly keeps?: readonly NoInfer<C>[] | undefined;
}

/** Rows to delete, a few at a time, so that nobody waits long for their locks. */
export interface PartialDelete {
  /** The table's name with its prefix. */
  readonly name: string;
  /** Its primary key, of one column. */
  readonly key: string;
  /** The column of moments by which rows go: those up to `until`, the oldest first. */
  readonly column: string;
  /** Milliseconds since 1970. */
  readonly until: number;
  /** Most rows of one statement. */
  readonly count: number;
}

/** What an index is made of. */
export interface IndexDefinition {
  readonly name: string;
  /** The table's name with its prefix. */
  readonly table: string;
  readonly columns: readonly string[];
}

/** What of the SQL of our tables differs between engines. Parameters are written `?`, as the Database API takes them. */
export interface StoreDialect {
  /** The type of a column, with the `primary key` of an `id`. */
  columnType(column: StoreColumn): string;
  /** Creates a table unless it is there: its columns and constraints in `parts`, and its indexes where they are part of it. */
  createTable(name: string, parts: readonly string[], indexes: readonly IndexDefinition[]): string;
  /** Creates an index unless it is there. Left out: indexes are part of the table. */
  createIndex?(index: IndexDefinition): string;
  dropTable(name: string): string;
  upsert<C extends string>(upsert: Upsert<C>): string;
  /** Inserts a row of `columns`, a `?` for each, unless its key is there. What it affected says nothing: drivers differ. */
  insertAbsent<C extends string>(upsert: Upsert<C>): string;
  deleteSome(rows: PartialDelete): Statement;
}

/** `?, ?, ?` for as many values. */
export function marks(values: readonly unknown[]): string {
  return values.map(() => '?').join(', ');
}

/** The columns that a row which is there gets anew. */
export function overwritten<C extends string>({ table, columns, keeps = [] }: Upsert<C>): readonly C[] {
  return columns.filter((column) => !table.primaryKey.includes(column) && !keeps.includes(column));
}
