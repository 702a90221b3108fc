import { DbManagerError, isDbManagerError } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { Knex } from 'knex';
import type { Column } from './column.js';
import type { ColumnKind } from './column-kind.js';
import type { Fragment } from './fragment.js';

/** A row to insert, or to update where there is one with its values in `on`. */
export interface UpsertParts {
  readonly builder: Knex;
  /** Name of the table, and quoted. */
  readonly table: string;
  readonly tableSql: string;
  readonly values: Readonly<Record<string, unknown>>;
  readonly on: readonly Column[];
  /** Columns of an existing row that take the new values. */
  readonly replaced: readonly Column[];
  /** Columns of it that count up by one. */
  readonly counted: readonly Column[];
  /** Columns of it that become NULL. */
  readonly cleared: readonly Column[];
  /** The columns to give back, where the statement can give rows. */
  readonly returned: readonly Column[];
}

/** What differs between engines, as far as repositories meet it. */
export interface SqlFlavour {
  /** Knex's name of the dialect. */
  readonly client: string;
  /** How an INSERT gives its rows: asked by Knex, by text behind it, or not at all. */
  readonly insertReturns: 'by knex' | 'by text' | undefined;
  /** Whether an UPDATE gives its rows. */
  readonly updateReturns: boolean;
  /** The most values and rows that one INSERT takes. */
  readonly maxBindings: number;
  readonly maxRows: number;
  /** Kinds that the driver gives as the application sees them; the others are decoded. */
  readonly given: ReadonlySet<ColumnKind>;
  /** Kinds of which the driver rounds values: a cursor holds their text. */
  readonly rounded: ReadonlySet<ColumnKind>;
  /** A value as text with every digit that it has. */
  exactText(sql: string): string;
  /** True where NULL is the greatest value of an order unless that says otherwise; elsewhere it is the least. */
  readonly nullsAreGreatest: boolean;
  /** NULL for a column of that kind, where a bare one will not do. */
  nullOf?(kind: ColumnKind): string | undefined;
  /** The literal of one backslash, which takes what stands behind it in a pattern as it is. */
  readonly likeEscape: string;
  /** A pattern in which nothing means more than on other engines. */
  likePattern?(pattern: string): string;
  /** A statement of Knex that is run for the number of rows it changed. */
  countedText?(sql: string): string;
  upsert(parts: UpsertParts): Fragment;
  /** The error of a failed upsert, as other engines have it. */
  upsertError?(error: unknown, connectionName: string, table: string): unknown;
}

const ON_CONFLICT = {
  insertReturns: 'by knex',
  updateReturns: true,
  likeEscape: "'\\'",
  upsert: onConflict,
} as const;

const POSTGRES: SqlFlavour = {
  ...ON_CONFLICT,
  client: 'pg',
  maxBindings: 65_535,
  maxRows: Number.POSITIVE_INFINITY,
  given: new Set(['boolean', 'date', 'json']),
  rounded: new Set(['date']),
  exactText: (sql) => `cast(${sql} as text)`,
  nullsAreGreatest: true,
};

const SQLITE: SqlFlavour = {
  ...ON_CONFLICT,
  client: 'better-sqlite3',
  maxBindings: 32_766,
  // Knex writes several rows as one compound SELECT, of which SQLite takes 500 terms.
  maxRows: 500,
  given: new Set(),
  rounded: new Set(),
  exactText: (sql) => sql,
  nullsAreGreatest: false,
};

const MYSQL: SqlFlavour = {
  client: 'mysql2',
  insertReturns: undefined,
  updateReturns: false,
  maxBindings: 65_535,
  maxRows: Number.POSITIVE_INFINITY,
  given: new Set(['date', 'json']),
  rounded: new Set(['date']),
  exactText: (sql) => `cast(${sql} as char)`,
  nullsAreGreatest: false,
  likeEscape: "'\\\\'",
  upsert: onDuplicateKey,
  upsertError: notThatRow,
};

/** Its JSON is text. */
const MARIADB: SqlFlavour = { ...MYSQL, insertReturns: 'by text', given: new Set(['date']) };

const MSSQL: SqlFlavour = {
  client: 'mssql',
  insertReturns: 'by knex',
  updateReturns: true,
  maxBindings: 2_000,
  maxRows: 1_000,
  given: new Set(['boolean', 'date']),
  rounded: new Set(['date', 'decimal']),
  exactText: (sql) => `convert(nvarchar(60), ${sql}, 126)`,
  nullsAreGreatest: false,
  // A parameter that is NULL is sent as a text, which is not converted to bytes.
  nullOf: (kind) => (kind === 'bytes' ? 'cast(null as varbinary(max))' : undefined),
  likeEscape: "'\\'",
  // There a bracket begins a set of characters.
  likePattern: (pattern) => pattern.replace(/\\.|\[/gs, (each) => (each === '[' ? '\\[' : each)),
  // Knex asks for the count by a second statement; the first tells it already.
  countedText: (sql) => sql.replace(/;select @@rowcount$/, ''),
  upsert: merge,
};

const FLAVOURS: ReadonlyMap<string, SqlFlavour> = new Map([
  ['postgres', POSTGRES],
  ['cockroachdb', { ...POSTGRES, client: 'cockroachdb' }],
  ['sqlite', SQLITE],
  ['mysql', MYSQL],
  ['mariadb', MARIADB],
  ['mssql', MSSQL],
]);

/** Types of connections that repositories run on. */
export const REPOSITORY_TYPES: readonly string[] = [...FLAVOURS.keys()];

/** The flavour of a type of connection. Throws `DBM_UNSUPPORTED` for one that has none. */
export function flavourOf(type: string, connectionName: string): SqlFlavour {
  const flavour = FLAVOURS.get(type);
  if (flavour !== undefined) return flavour;
  throw new DbManagerError('DBM_UNSUPPORTED', `a repository cannot run on a connection of type ${type}`, {
    connectionName,
  });
}

function onConflict(parts: UpsertParts): Fragment {
  const { builder, table, tableSql, values, on, replaced, counted, cleared, returned } = parts;
  const excluded = ({ sql }: Column) => builder.raw(`excluded.${sql}`);
  const updates = [
    ...replaced.map((column) => [column, excluded(column)] as const),
    ...counted.map((column) => [column, builder.raw(`${tableSql}.${column.sql} + 1`)] as const),
    ...cleared.map((column) => [column, null] as const),
  ];
  // Without an update there would be no row to give back.
  if (updates.length === 0) updates.push(...on.map((column) => [column, excluded(column)] as const));
  const query = builder(table)
    .insert(values)
    .onConflict(on.map(({ name }) => name))
    .merge(Object.fromEntries(updates.map(([{ name }, value]) => [name, value])))
    .returning(returned.map(({ name }) => name));
  return query.toSQL();
}

/** Two rows where there must be one: an error that tells that another row than the one meant has a value that must be unique. */
const NO_VALUE = '(select null union all select null)';
const MORE_THAN_ONE_ROW = 1242;

/**
 * MySQL updates the row that has any of the unique values, which may be another than the one meant: that is made to fail,
 * as it does on other engines.
 */
function onDuplicateKey({ builder, table, values, on, replaced, counted, cleared }: UpsertParts): Fragment {
  const { sql, bindings } = builder(table).insert(values).toSQL();
  const meant = on.map((column) => `${column.sql} <=> values(${column.sql})`).join(' and ');
  const updates = [
    ...on.slice(0, 1).map((column) => `${column.sql} = if(${meant}, ${column.sql}, ${NO_VALUE})`),
    ...replaced.map((column) => `${column.sql} = values(${column.sql})`),
    ...counted.map((column) => `${column.sql} = ${column.sql} + 1`),
    ...cleared.map((column) => `${column.sql} = null`),
  ];
  return { sql: `${sql} on duplicate key update ${updates.join(', ')}`, bindings };
}

function notThatRow(error: unknown, connectionName: string, table: string): unknown {
  if (!isDbManagerError(error, 'DBM_QUERY_FAILED')) return error;
  const { errno } = (error.cause ?? {}) as { readonly errno?: unknown };
  if (errno !== MORE_THAN_ONE_ROW) return error;
  return new DbManagerError('DBM_UNIQUE_VIOLATION', 'another row has a value that must be unique', {
    connectionName,
    table,
    cause: error,
  });
}

/** The lock keeps two of them from both finding no row. */
function merge({ builder, tableSql, values, on, replaced, counted, cleared, returned }: UpsertParts): Fragment {
  const names = Object.keys(values);
  const quoted = names.map((name) => String(builder.ref(name)));
  const source = builder
    .select(names.map((name) => builder.raw('? as ??', [values[name] as Knex.Value, name])))
    .toSQL();
  const updates = [
    ...replaced.map(({ sql }) => `${sql} = [source].${sql}`),
    ...counted.map(({ sql }) => `${sql} = [target].${sql} + 1`),
    ...cleared.map(({ sql }) => `${sql} = null`),
  ];
  if (updates.length === 0) updates.push(...on.map(({ sql }) => `${sql} = [source].${sql}`));
  const sql = [
    `merge into ${tableSql} with (holdlock) as [target]`,
    `using (${source.sql}) as [source]`,
    `on (${on.map((column) => `[target].${column.sql} = [source].${column.sql}`).join(' and ')})`,
    `when matched then update set ${updates.join(', ')}`,
    `when not matched then insert (${quoted.join(', ')}) values (${quoted.map((name) => `[source].${name}`).join(', ')})`,
    `output ${returned.map((column) => `inserted.${column.sql}`).join(', ')};`,
  ].join(' ');
  return { sql, bindings: source.bindings };
}
