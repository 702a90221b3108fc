import type { IsolationLevel } from '@dbmanager/core';
import { decodeZeros, encodeZeros } from './zero-encoding.js';

/** What the table differs in from engine to engine. Names come quoted. */
export interface TableDialect {
  /** Makes the table, with its index of moments of expiry, where there is none. */
  create(table: string, index: string): readonly string[];
  /** What an INSERT does with keys that are there; undefined: it fails, and they are deleted before. */
  readonly onConflict?: string;
  /** The first rows of a SELECT that begins and goes on so. */
  first(rows: number, select: string, rest: string): string;
  /** Gives a read-only transaction one moment; undefined: it has one anyway. */
  readonly momentIsolation?: IsolationLevel;
  /** Keeps what a commit has read again as it is until its end, whoever writes; undefined: nobody else can write then. */
  readonly commitIsolation?: IsolationLevel;
  /** Holds up every other writer until the end of the transaction, where the isolation is no guard against all of them. */
  lock?(table: string): string;
  /** Keys as they are kept, so that the engine orders them by their bytes. Left out: as they are. */
  readonly keys?: { encode(key: Uint8Array): Uint8Array; decode(stored: Uint8Array): Uint8Array };
}

const REPLACE =
  'on conflict (item_key) do update set item_value = excluded.item_value, expires_at = excluded.expires_at';

function limited(rows: number, select: string, rest: string): string {
  return `select ${select} ${rest} limit ${rows}`;
}

function standardTable(bytes: string, integer: string): TableDialect['create'] {
  return (table, index) => [
    `create table if not exists ${table} ` +
      `(item_key ${bytes} not null primary key, item_value ${bytes} not null, expires_at ${integer})`,
    `create index if not exists ${index} on ${table} (expires_at) where expires_at is not null`,
  ];
}

const SQLITE: TableDialect = {
  create: standardTable('blob', 'integer'),
  onConflict: REPLACE,
  first: limited,
};

const COCKROACHDB: TableDialect = {
  create: standardTable('bytea', 'bigint'),
  onConflict: REPLACE,
  first: limited,
  momentIsolation: 'repeatable read',
  commitIsolation: 'serializable',
};

const POSTGRES: TableDialect = {
  ...COCKROACHDB,
  // Serialisable transactions watch each other, not single statements of read committed: so a lock, and each statement after
  // it sees what was committed before.
  commitIsolation: 'read committed',
  lock: (table) => `lock table ${table} in share row exclusive mode`,
};

const MYSQL: TableDialect = {
  create: (table, index) => [
    `create table if not exists ${table} (item_key varbinary(900) not null primary key, item_value longblob not null, ` +
      `expires_at bigint, index ${index} (expires_at)) engine = InnoDB`,
  ],
  onConflict: 'on duplicate key update item_value = values(item_value), expires_at = values(expires_at)',
  first: limited,
  momentIsolation: 'repeatable read',
  commitIsolation: 'serializable',
};

const MSSQL: TableDialect = {
  create: (table, index) => [
    `if object_id('${table}') is null create table ${table} (item_key varbinary(1700) not null primary key nonclustered, ` +
      `item_value varbinary(max) not null, expires_at bigint null, index ${index} (expires_at))`,
  ],
  first: (rows, select, rest) => `select top (${rows}) ${select} ${rest}`,
  momentIsolation: 'snapshot',
  commitIsolation: 'serializable',
  keys: { encode: encodeZeros, decode: decodeZeros },
};

/** By type of connection. */
export const TABLE_DIALECTS: ReadonlyMap<string, TableDialect> = new Map([
  ['sqlite', SQLITE],
  ['postgres', POSTGRES],
  ['cockroachdb', COCKROACHDB],
  ['mysql', MYSQL],
  ['mariadb', MYSQL],
  ['mssql', MSSQL],
]);
