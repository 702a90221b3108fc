/**
 * What a column holds; each engine has a type of its own for it, and gives the same value back.
 *
 * - `id`: a number that the database counts up; the primary key.
 * - `key`: a text to look rows up by, of at most `length` characters: compared character by character, capitals told apart.
 * - `text`: a text of any length.
 * - `json`: a value as the text of its JSON.
 * - `time`: a moment, in milliseconds since 1970 in UTC. A whole number: no driver, session or server can move it to another zone.
 * - `whole`: a whole number of 64 bits.
 * - `number`: a floating-point number of 64 bits.
 * - `flag`: true or false.
 */
export type ColumnKind = 'id' | 'key' | 'text' | 'json' | 'time' | 'whole' | 'number' | 'flag';

/** A column of a {@link StoreTable}. */
export interface StoreColumn {
  readonly kind: ColumnKind;
  /** Of a `key`, in UTF-16 code units. */
  readonly length?: number;
  /** May be NULL. Default: false. */
  readonly optional?: boolean;
  /** Refers to the row with this key of another table, and goes with it, unless it is to keep that from going. */
  readonly references?: {
    readonly table: StoreTableName;
    readonly column: string;
    readonly onDelete: 'cascade' | 'no action';
  };
}

/** The tables, as they are called without a prefix. */
export type StoreTableName =
  | 'sessions'
  | 'access_tokens'
  | 'tenants'
  | 'tenant_hosts'
  | 'workload_metrics'
  | 'rate_limits'
  | 'store_leases'
  | 'plugins'
  | 'plugin_hooks'
  | 'plugin_events'
  | 'plugin_storage'
  | 'plugin_metrics';

/**
 * A table, described once for all engines. Names of tables and columns are words that no engine reserves, as they are written
 * without quotes.
 */
export interface StoreTable<C extends string = string> {
  readonly name: StoreTableName;
  readonly columns: Readonly<Record<C, StoreColumn>>;
  readonly primaryKey: readonly NoInfer<C>[];
  /** Columns of each further index. */
  readonly indexes?: readonly (readonly NoInfer<C>[])[];
}

/** The names of the columns of a table. */
export type ColumnOf<T> = T extends StoreTable<infer C> ? C : never;

/** The names of the columns of a table, in its order. */
export function columnsOf<C extends string>({ columns }: StoreTable<C>): readonly C[] {
  return Object.keys(columns) as C[];
}
