/** A row with a value of every kind that ORMs like to change on the way. */
export interface Entry {
  readonly id: number;
  /** Who wrote it. */
  readonly writer: string;
  /** Beyond what a number holds exactly. */
  readonly big: bigint;
  readonly at: Date;
  /** A date without a time: `2024-03-10`. */
  readonly day: string;
  readonly json: unknown;
  readonly bytes: Uint8Array;
  readonly tags: readonly string[];
}

/** What one ORM does with the tables of the tests, in the way its users do. */
export interface Hands {
  insert(entry: Entry): Promise<unknown>;
  /** All entries, by id. */
  entries(): Promise<readonly Entry[]>;
  /** Adds to the balance of an account; less than 0 takes away. */
  deposit(account: number, amount: number): Promise<unknown>;
  balance(account: number): Promise<number>;
  /** The value that a statement given as text selects, in the column `value`. */
  value(sql: string): Promise<unknown>;
  /** The ORM's own transaction; where there is one already, its nested one. */
  transaction<T>(work: (hands: Hands) => Promise<T>): Promise<T>;
}

/** Engines that there are tables for. */
export type EngineName = 'postgres' | 'mariadb' | 'mssql' | 'sqlite';

/** The tables. The types of SQLite's columns are what each ORM can be told to use. */
export const TABLES: Readonly<Record<EngineName, readonly string[]>> = {
  postgres: [
    'create table accounts (id integer primary key, balance integer not null)',
    `create table entries (id integer primary key, writer text not null, big bigint not null, at timestamptz not null,
      day date not null, json jsonb not null, bytes bytea not null, tags text[] not null)`,
  ],
  mariadb: [
    'create table accounts (id integer primary key, balance integer not null)',
    `create table entries (id integer primary key, writer text not null, big bigint not null, at datetime(6) not null,
      day date not null, json json not null, bytes blob not null, tags json not null)`,
  ],
  mssql: [
    'create table accounts (id integer primary key, balance integer not null)',
    `create table entries (id integer primary key, writer nvarchar(max) not null, big bigint not null,
      at datetime2(6) not null, day date not null, json nvarchar(max) not null, bytes varbinary(max) not null,
      tags nvarchar(max) not null)`,
  ],
  sqlite: [
    'create table accounts (id integer primary key, balance integer not null)',
    `create table entries (id integer primary key, writer text not null, big integer not null, at integer not null,
      day text not null, json text not null, bytes blob not null, tags text not null)`,
  ],
};
