import { type BridgeTarget, type Clock, DbManagerError, KnownOptions, type Random } from '@dbmanager/core';
import { KeySpace, type KeyValueOptions, KeyValueStore } from '@dbmanager/provider-kv';
import { TableBackend } from './table-backend.js';
import { TABLE_DIALECTS } from './table-dialect.js';

/** The longest key in bytes: with its namespace it fits in an index of every engine. */
export const MAX_KEY_BYTES = 800;
/** The table, unless another is named. */
export const DEFAULT_TABLE = 'key_values';

/** Room is left for the name of its index. */
const TABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,54}$/;

/** Options of a {@link KeyValueTable}. */
export interface KeyValueTableOptions {
  /** Up to 55 letters, digits and `_`, the first no digit. Default: {@link DEFAULT_TABLE}. */
  readonly table?: string | undefined;
  /** Makes the table at the first use, where there is none. Default: false, and it has to be there. */
  readonly createTable?: boolean | undefined;
  /** The wall clock that expiry goes by, in milliseconds since 1970. Default: `Date.now`. */
  readonly now?: (() => number) | undefined;
  /** For the delays between attempts. Default: the machine's. */
  readonly clock?: Clock | undefined;
  /** Default: `Math.random`. */
  readonly random?: Random | undefined;
}

const TABLE_OPTIONS = new KnownOptions<KeyValueTableOptions>('a table of keys and values', {
  table: true,
  createTable: true,
  now: true,
  clock: true,
  random: true,
});

/**
 * Key-value stores in a table of an SQL database. Keep one for each table: writes of a key are made in the order of the calls
 * among those who share it. It holds nothing between calls.
 *
 * ```ts
 * const table = new KeyValueTable(manager.get('primary'), { createTable: true });
 * await table.store<Session>({ namespace: 'sessions' }).set('42', { user: 'ada' }, { ttlMs: 3_600_000 });
 * ```
 */
export class KeyValueTable {
  readonly #name: string;
  readonly #backend: TableBackend;

  /**
   * Sends nothing. Throws `DBM_UNSUPPORTED` when the connection is of no SQL database, `DBM_INVALID_OPTION` for a bad name of
   * the table, and for an option that there is not.
   */
  constructor(target: BridgeTarget, options: KeyValueTableOptions = {}) {
    TABLE_OPTIONS.check(options, target.name);
    const { table = DEFAULT_TABLE, createTable = false, now = Date.now, clock, random } = options;
    this.#name = target.name;
    const dialect = TABLE_DIALECTS.get(target.type);
    if (dialect === undefined) {
      throw new DbManagerError(
        'DBM_UNSUPPORTED',
        `a key-value store needs a connection of type kv, or an SQL database, not ${target.type}`,
        { connectionName: target.name },
      );
    }
    this.#backend = new TableBackend({
      target,
      dialect,
      table: checked(table, target),
      createTable,
      now,
      clock,
      random,
    });
  }

  /** A namespace of the table; costs nothing to make. Throws `DBM_INVALID_OPTION` for a bad name. */
  store<V = unknown, K = string>(options?: KeyValueOptions<V, K>): KeyValueStore<V, K> {
    return new KeyValueStore(this.#backend, new KeySpace(this.#name, options, { maxKeyBytes: MAX_KEY_BYTES }));
  }
}

function checked(table: unknown, { name }: BridgeTarget): string {
  if (typeof table === 'string' && TABLE_NAME.test(table)) return table;
  throw new DbManagerError(
    'DBM_INVALID_OPTION',
    'the table is named by up to 55 letters, digits and "_", the first of them no digit',
    { connectionName: name, option: 'kv_table' },
  );
}
