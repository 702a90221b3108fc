import type { SqlTestEngine } from '../../../test/support/sql-engines.js';
import type { RepositoryOptions } from '../src/index.js';

/** A row with a column of each kind. */
export interface User {
  id: number;
  email: string;
  name: string | null;
  age: number | null;
  score: number;
  balance: string;
  active: boolean;
  settings: { readonly [key: string]: unknown } | null;
  avatar: Uint8Array | null;
  created_at: Date;
  deleted_at: Date | null;
  version: number;
}

export const USERS: RepositoryOptions<User> = {
  table: 'users',
  columns: {
    id: 'integer',
    email: 'text',
    name: 'text?',
    age: 'integer?',
    score: 'number',
    balance: 'decimal',
    active: 'boolean',
    settings: 'json?',
    avatar: 'bytes?',
    created_at: 'date',
    deleted_at: 'date?',
    version: 'integer',
  },
  version: 'version',
  deletedAt: 'deleted_at',
};

type Types = Readonly<Record<'text' | 'double' | 'decimal' | 'boolean' | 'json' | 'bytes' | 'date' | 'yes', string>>;

const TYPES: Readonly<Record<string, Types>> = {
  sqlite: {
    text: 'text',
    double: 'real',
    decimal: 'text',
    boolean: 'integer',
    json: 'text',
    bytes: 'blob',
    date: 'text',
    yes: '1',
  },
  postgres: {
    text: 'text',
    double: 'double precision',
    decimal: 'decimal(20, 4)',
    boolean: 'boolean',
    json: 'jsonb',
    bytes: 'bytea',
    date: 'timestamptz',
    yes: 'true',
  },
  mariadb: {
    text: 'varchar(100)',
    double: 'double',
    decimal: 'decimal(20, 4)',
    boolean: 'boolean',
    json: 'json',
    bytes: 'varbinary(100)',
    date: 'datetime(6)',
    yes: 'true',
  },
  mssql: {
    text: 'nvarchar(100)',
    double: 'float',
    decimal: 'decimal(20, 4)',
    boolean: 'bit',
    json: 'nvarchar(max)',
    bytes: 'varbinary(100)',
    date: 'datetime2',
    yes: '1',
  },
};

/** The types of an engine. */
export function typesOf({ name }: SqlTestEngine): Types {
  const types = TYPES[name];
  if (types === undefined) throw new RangeError(`no types are known of ${name}`);
  return types;
}

/** CREATE TABLE of the users. */
export function usersTable(engine: SqlTestEngine): string {
  const { text, double, decimal, boolean, json, bytes, date, yes } = typesOf(engine);
  return `create table users (
    id ${engine.identityColumn},
    email ${text} not null unique,
    name ${text},
    age integer,
    score ${double} not null default 0.5,
    balance ${decimal} not null default 0,
    active ${boolean} not null default ${yes},
    settings ${json},
    avatar ${bytes},
    created_at ${date} not null,
    deleted_at ${date},
    version integer not null
  )`;
}
