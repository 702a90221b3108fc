import { DbManagerError } from '@dbmanager/core';
import type { Transaction } from '@dbmanager/database';
import type { Column } from './column.js';
import { decodeCursor, encodeCursor } from './cursor.js';
import type { Filter } from './filter.js';
import { compileFilter } from './filter-compiler.js';
import { all, type Fragment, fragment } from './fragment.js';
import { insertBatches } from './insert-batches.js';
import { invalidInput, kindOf } from './invalid-input.js';
import { Keyset } from './keyset.js';
import type {
  DeleteOptions,
  FindOptions,
  ListOptions,
  Page,
  PageOptions,
  RepositoryCallOptions,
  RepositoryOptions,
  UpsertOptions,
} from './repository-options.js';
import { inTransaction, type RepositoryTarget, type Statements } from './repository-scope.js';
import { type DeletedRows, type StoredRow, Table } from './table.js';

/** The key of a row. */
export type RowId = string | number | bigint | Uint8Array;

/** Values of a row that is to be made, or changed; those left undefined are left out. */
export type RowValues<T> = { readonly [K in keyof T]?: T[K] | undefined };

const PAGE_SIZE = 50;

/** What a table is read for when its statement is composed. */
type Condition = Fragment | undefined;

/**
 * The rows of one table as objects, on the shared pool: by key, by filter, in pages. Made by {@link createRepository}.
 *
 * Statements are built by Knex and run by the Database API: in the ambient transaction where there is one, under `query_timeout`,
 * with its errors (`DBM_UNIQUE_VIOLATION` …). Names in statements are those that were declared, values are never part of the
 * text. What cannot be meant is `DBM_INVALID_INPUT`, and nothing was sent.
 */
export class Repository<T extends object> {
  readonly #target: RepositoryTarget;
  readonly #table: Table;
  readonly #now: () => Date;
  /** The texts of reading by key, which are always the same. */
  readonly #byId = new Map<DeletedRows | undefined, string>();

  /** Throws as {@link createRepository} does. */
  constructor(target: RepositoryTarget, table: Table, now: () => Date = () => new Date()) {
    this.#target = target;
    this.#table = table;
    this.#now = now;
  }

  /** The same repository in a transaction on its connection, or in one nested in that. */
  in(tx: Transaction): Repository<T> {
    const { name, type } = this.#target;
    return new Repository<T>({ name, type, scope: () => tx }, this.#table, this.#now);
  }

  /** The row with that key, or undefined when there is none. */
  async findById(id: RowId, options: FindOptions = {}): Promise<T | undefined> {
    const value = this.#table.id.compared(id, 'id');
    let text = this.#byId.get(options.deleted);
    if (text === undefined) {
      const where = all([fragment(`${this.#table.id.sql} = ?`, value), this.#table.visible(options.deleted)]);
      text = this.#select(where).toSQL().sql;
      this.#byId.set(options.deleted, text);
    }
    const [row] = await this.#target.scope().query(text, [value], callOptions(options));
    return row && this.#table.decoded<T>(row);
  }

  /** The first row that fits, in the order asked for; undefined when there is none. */
  async findOne(filter: Filter<T>, options: Omit<ListOptions<T>, 'limit'> = {}): Promise<T | undefined> {
    const [row] = await this.list(filter, { ...options, limit: 1 });
    return row;
  }

  /** The rows that fit, all unless there is a limit. */
  async list(filter?: Filter<T>, options: ListOptions<T> = {}): Promise<T[]> {
    const { limit, offset } = options;
    const keyset = new Keyset(this.#table, options.order);
    const query = this.#select(this.#found(filter, options)).orderByRaw(keyset.orderBy(false));
    if (limit !== undefined) query.limit(this.#count('limit', limit));
    if (offset !== undefined) query.offset(this.#count('offset', offset));
    const rows = await this.#query(this.#target.scope(), query.toSQL(), options);
    return rows.map((row) => this.#table.decoded<T>(row));
  }

  /**
   * A page of the rows that fit. The cursors in it lead to the pages beside it: each row that was there all the time is in one of
   * the pages, and none is in two, whatever is inserted, changed elsewhere or deleted meanwhile. Give them with the same order and
   * the same filter.
   */
  async page(filter: Filter<T> | undefined, options: PageOptions<T> = {}): Promise<Page<T>> {
    const { limit = PAGE_SIZE, after, before } = options;
    const table = this.#table;
    const size = this.#count('limit', limit);
    if (size === 0) throw invalidInput(table.connectionName, 'limit', 'a page has at least one row');
    if (after !== undefined && before !== undefined) {
      throw invalidInput(table.connectionName, 'before', 'a page is either behind a cursor or ahead of one');
    }
    const keyset = new Keyset(table, options.order);
    const backwards = before !== undefined;
    const from = backwards ? this.#beyond(keyset, before, 'before') : this.#beyond(keyset, after, 'after');
    const exact = this.#exactColumns(keyset);
    const query = this.#select(allOf([this.#found(filter, options), from]))
      .select(
        [...exact].map(([column, name]) => table.builder.raw(`${table.flavour.exactText(column.sql)} as ${name}`)),
      )
      .orderByRaw(keyset.orderBy(backwards))
      .limit(size + 1);
    const rows = await this.#query(this.#target.scope(), query.toSQL(), options);
    const more = rows.length > size;
    if (more) rows.pop();
    if (backwards) rows.reverse();
    const cursor = (row: StoredRow | undefined) => {
      if (row === undefined) return undefined;
      const values = keyset.terms.map(({ column }) => row[exact.get(column) ?? column.name]);
      return encodeCursor(table, keyset, values);
    };
    // Before the rows are decoded: a cursor has values as the database has them.
    const next = backwards || more ? cursor(rows.at(-1)) : undefined;
    const previous = (backwards ? more : after !== undefined) ? cursor(rows[0]) : undefined;
    for (const row of rows) for (const name of exact.values()) delete row[name];
    return { rows: rows.map((row) => table.decoded<T>(row)), next, previous };
  }

  /** How many rows fit. */
  async count(filter?: Filter<T>, options: FindOptions = {}): Promise<number> {
    const query = this.#from(this.#found(filter, options)).select(this.#table.builder.raw('count(*) as rows_found'));
    const [row] = await this.#query(this.#target.scope(), query.toSQL(), options);
    return Number(row?.rows_found);
  }

  /** Whether any row fits. */
  async exists(filter?: Filter<T>, options: FindOptions = {}): Promise<boolean> {
    return this.#exists(this.#found(filter, options), options);
  }

  /** Inserts a row and gives it as the database has it, with its key and its defaults. */
  async create(values: RowValues<T>, options: RepositoryCallOptions = {}): Promise<T> {
    const table = this.#table;
    const row = table.inserted(values, 'values');
    const insert = table.builder(table.name).insert(row);
    const scope = this.#target.scope();
    switch (table.flavour.insertReturns) {
      case 'by knex':
        return this.#only(await this.#query(scope, insert.returning(table.names).toSQL(), options));
      case 'by text':
        return this.#only(await this.#query(scope, this.#returning(insert.toSQL()), options));
      default:
        return inTransaction(scope, options.signal, async (tx) => {
          const { sql, bindings } = insert.toSQL();
          const { lastInsertId } = await tx.execute(sql, bindings, callOptions(options));
          return this.#only(await this.#byKey(tx, row[table.id.name] ?? lastInsertId, options));
        });
    }
  }

  /**
   * Inserts all of the rows or none, in as few statements as can be, and gives their number. Rows need not have the same
   * columns; those that one leaves out have their defaults.
   */
  async createMany(rows: readonly RowValues<T>[], options: RepositoryCallOptions = {}): Promise<number> {
    const table = this.#table;
    if (!Array.isArray(rows)) throw invalidInput(table.connectionName, 'rows', `takes a list, not ${kindOf(rows)}`);
    const stored = Array.from(rows, (values: unknown, index) => table.inserted(values, `rows.${index}`));
    const inserts = insertBatches(stored, table.flavour).map((batch) =>
      table.builder(table.name).insert(batch).toSQL(),
    );
    const [only, ...others] = inserts;
    if (only === undefined) return 0;
    const scope = this.#target.scope();
    if (others.length === 0) return this.#changed(scope, only, options);
    return inTransaction(scope, options.signal, async (tx) => {
      let created = 0;
      for (const insert of inserts) created += await this.#changed(tx, insert, options);
      return created;
    });
  }

  /**
   * Changes the row with that key, and gives it as it is then. `changes` may be a whole row that was read before: its key is
   * passed over, and its version, where there is a column for that, must be the one that the row still has.
   *
   * Rejects with `DBM_STALE_VERSION` when somebody else has changed the row since, `DBM_NOT_FOUND` when there is none.
   */
  async update(id: RowId, changes: RowValues<T>, options: FindOptions = {}): Promise<T> {
    const table = this.#table;
    const key = table.id.compared(id, 'id');
    const row = table.stored(changes, 'changes');
    const version = this.#takenOut(row, table.version);
    const sameKey = this.#takenOut(row, table.id);
    if (sameKey !== undefined && !isSame(sameKey, key)) {
      throw invalidInput(table.connectionName, `changes.${table.id.name}`, 'the key of a row cannot be changed');
    }
    const where = all([this.#isRow(key, version), table.visible(options.deleted)]);
    const updated = await this.#updateOne(key, where, this.#assigned(row), options);
    if (updated !== undefined) return updated;
    if (version !== undefined) await this.#assertGone(key, options);
    throw new DbManagerError('DBM_NOT_FOUND', `${table.name} has no row with that key`, {
      connectionName: table.connectionName,
      table: table.name,
    });
  }

  /** Changes all rows that fit, and gives their number. A filter that says nothing is refused. */
  async updateWhere(filter: Filter<T>, changes: RowValues<T>, options: FindOptions = {}): Promise<number> {
    const table = this.#table;
    const row = table.stored(changes, 'changes');
    for (const column of [table.id, table.version]) {
      if (column === undefined || !Object.hasOwn(row, column.name)) continue;
      const reason = `${column.name} cannot be set for many rows`;
      throw invalidInput(table.connectionName, `changes.${column.name}`, reason, column.name);
    }
    return this.#updateAll(this.#meant(filter, options), this.#assigned(row), options);
  }

  /**
   * Inserts a row, or gives an existing one its values, whatever others do at the same time; gives the row as it is then. One that
   * was deleted softly is there again. Another unique constraint than that of `on` is an error: `DBM_UNIQUE_VIOLATION`.
   */
  async upsert(values: RowValues<T>, options: UpsertOptions<T> = {}): Promise<T> {
    const table = this.#table;
    const row = table.inserted(values, 'values');
    const on = this.#columns(options.on ?? [table.id.name], 'on', row);
    const kept = new Set<Column | undefined>([table.id, table.version, ...on]);
    const replaced = this.#columns(options.update ?? Object.keys(row), 'update', row).filter((each) => !kept.has(each));
    const { flavour, builder } = table;
    const statement = flavour.upsert({
      builder,
      table: table.name,
      tableSql: table.sql,
      values: row,
      on,
      replaced,
      counted: table.version === undefined ? [] : [table.version],
      cleared: table.deletedAt === undefined || replaced.includes(table.deletedAt) ? [] : [table.deletedAt],
      returned: table.columns,
    });
    try {
      return await this.#upserted(statement, on, row, options);
    } catch (error) {
      throw flavour.upsertError?.(error, table.connectionName, table.name) ?? error;
    }
  }

  /**
   * Deletes the row with that key: softly where the table has a column for it. False when there is none, or none that was not
   * deleted already. Rejects with `DBM_STALE_VERSION` when a version is given and the row has another.
   */
  async delete(id: RowId, options: DeleteOptions = {}): Promise<boolean> {
    const table = this.#table;
    const key = table.id.compared(id, 'id');
    const version = this.#version(options.version);
    const isHard = this.#isHard(options);
    const where = all([this.#isRow(key, version), table.visible(isHard ? 'include' : 'exclude')]);
    if ((await this.#remove(where, isHard, options)) > 0) return true;
    if (version !== undefined) await this.#assertGone(key, { ...options, deleted: isHard ? 'include' : 'exclude' });
    return false;
  }

  /** Deletes all rows that fit, as {@link delete} does, and gives their number. A filter that says nothing is refused. */
  async deleteWhere(filter: Filter<T>, options: FindOptions & Pick<DeleteOptions, 'hard'> = {}): Promise<number> {
    return this.#remove(this.#meant(filter, options), this.#isHard(options), options);
  }

  /** Takes a soft deletion back. False when no row with that key was deleted. Throws `DBM_UNSUPPORTED` without `deletedAt`. */
  async restore(id: RowId, options: RepositoryCallOptions = {}): Promise<boolean> {
    const table = this.#table;
    const { name } = table.deletion;
    const where = all([this.#isRow(table.id.compared(id, 'id')), table.visible('only')]);
    return (await this.#updateAll(where, table.assigned({ [name]: null }), options)) > 0;
  }

  // --- conditions

  #found(filter: Filter<T> | undefined, { deleted }: FindOptions): Condition {
    return allOf([compileFilter(this.#table, filter), this.#table.visible(deleted)]);
  }

  /** As {@link #found}, of a filter that must say something. */
  #meant(filter: Filter<T>, { deleted }: FindOptions): Fragment {
    const condition = compileFilter(this.#table, filter);
    if (condition !== undefined) return all([condition, this.#table.visible(deleted)]);
    throw invalidInput(this.#table.connectionName, 'filter', 'says nothing: all rows would be meant');
  }

  #isRow(key: unknown, version?: unknown): Fragment {
    const { id, version: column } = this.#table;
    const isVersion = version === undefined ? undefined : fragment(`${column?.sql} = ?`, version);
    return all([fragment(`${id.sql} = ?`, key), isVersion]);
  }

  #beyond(keyset: Keyset, cursor: string | undefined, path: string): Condition {
    if (cursor === undefined) return undefined;
    return keyset.beyond(decodeCursor(this.#table, keyset, cursor, path), path === 'before');
  }

  /** Columns of an order that are read a second time, as exact text, with what that is called. */
  #exactColumns({ terms }: Keyset): Map<Column, string> {
    const { rounded } = this.#table.flavour;
    const columns = terms.map(({ column }) => column).filter(({ kind }) => rounded.has(kind));
    return new Map(columns.map((column, index) => [column, `exact_${index}_`]));
  }

  // --- what was given

  #count(option: 'limit' | 'offset', value: unknown): number {
    if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
    const given = typeof value === 'number' ? String(value) : kindOf(value);
    throw invalidInput(this.#table.connectionName, option, `takes a whole number from 0 on, not ${given}`);
  }

  #version(version: unknown): unknown {
    if (version === undefined) return undefined;
    const { version: column, connectionName, name } = this.#table;
    if (column !== undefined) return column.compared(version, 'version');
    throw invalidInput(connectionName, 'version', `${name} has no column declared as version`);
  }

  #isHard({ hard = false }: Pick<DeleteOptions, 'hard'>): boolean {
    return hard || this.#table.deletedAt === undefined;
  }

  /** Columns by name, all of which have a value in the row. */
  #columns(names: readonly string[], path: string, row: StoredRow): Column[] {
    const { connectionName } = this.#table;
    if (!Array.isArray(names)) throw invalidInput(connectionName, path, `takes a list, not ${kindOf(names)}`);
    if (path === 'on' && names.length === 0) throw invalidInput(connectionName, path, 'names no column');
    return names.map((name, index) => {
      const column = this.#table.column(String(name), `${path}.${index}`);
      if (row[column.name] !== undefined && (path !== 'on' || row[column.name] !== null)) return column;
      throw invalidInput(connectionName, `values.${column.name}`, `is needed, as ${path} names it`, column.name);
    });
  }

  #takenOut(row: StoredRow, column: Column | undefined): unknown {
    if (column === undefined) return undefined;
    const value = row[column.name];
    delete row[column.name];
    return value;
  }

  #assigned(row: StoredRow): StoredRow {
    if (Object.keys(row).length > 0) return this.#table.assigned(row);
    throw invalidInput(this.#table.connectionName, 'changes', 'change nothing');
  }

  // --- statements

  #from(where: Condition) {
    const query = this.#table.builder(this.#table.name);
    return where === undefined ? query : query.whereRaw(where.sql, where.bindings as never);
  }

  #select(where: Condition) {
    return this.#from(where).select(this.#table.names);
  }

  #query(scope: Statements, { sql, bindings }: Fragment, options: RepositoryCallOptions): Promise<StoredRow[]> {
    return scope.query<StoredRow>(sql, bindings, callOptions(options));
  }

  async #changed(scope: Statements, { sql, bindings }: Fragment, options: RepositoryCallOptions): Promise<number> {
    const text = this.#table.flavour.countedText?.(sql) ?? sql;
    const { rowsAffected } = await scope.execute(text, bindings, callOptions(options));
    return rowsAffected;
  }

  #returning({ sql, bindings }: Fragment): Fragment {
    return { sql: `${sql} returning ${this.#table.columns.map((column) => column.sql).join(', ')}`, bindings };
  }

  #byKey(scope: Statements, key: unknown, options: RepositoryCallOptions): Promise<StoredRow[]> {
    return this.#query(scope, this.#select(this.#isRow(key)).toSQL(), options);
  }

  async #exists(where: Condition, options: RepositoryCallOptions): Promise<boolean> {
    const query = this.#from(where).select(this.#table.builder.raw('1 as found')).limit(1);
    return (await this.#query(this.#target.scope(), query.toSQL(), options)).length > 0;
  }

  async #updateOne(
    key: unknown,
    where: Fragment,
    assigned: StoredRow,
    options: RepositoryCallOptions,
  ): Promise<T | undefined> {
    const update = this.#from(where).update(assigned);
    const scope = this.#target.scope();
    const read = async (tx: Statements) => {
      if ((await this.#changed(tx, update.toSQL(), options)) === 0) return [];
      return this.#byKey(tx, key, options);
    };
    const [row] = this.#table.flavour.updateReturns
      ? await this.#query(scope, update.returning(this.#table.names).toSQL(), options)
      : await inTransaction(scope, options.signal, read);
    return row && this.#table.decoded<T>(row);
  }

  #updateAll(where: Fragment, assigned: StoredRow, options: RepositoryCallOptions): Promise<number> {
    return this.#changed(this.#target.scope(), this.#from(where).update(assigned).toSQL(), options);
  }

  #remove(where: Fragment, isHard: boolean, options: RepositoryCallOptions): Promise<number> {
    if (isHard) return this.#changed(this.#target.scope(), this.#from(where).delete().toSQL(), options);
    const { name } = this.#table.deletion;
    return this.#updateAll(where, this.#table.assigned({ [name]: this.#now() }), options);
  }

  #upserted(statement: Fragment, on: readonly Column[], row: StoredRow, options: RepositoryCallOptions): Promise<T> {
    const { flavour } = this.#table;
    const scope = this.#target.scope();
    if (flavour.insertReturns !== undefined) {
      const returning = flavour.insertReturns === 'by text' ? this.#returning(statement) : statement;
      return this.#query(scope, returning, options).then((rows) => this.#only(rows));
    }
    return inTransaction(scope, options.signal, async (tx) => {
      await tx.execute(statement.sql, statement.bindings, callOptions(options));
      const where = all(on.map((column) => fragment(`${column.sql} = ?`, row[column.name])));
      return this.#only(await this.#query(tx, this.#select(where).toSQL(), options));
    });
  }

  /** Rejects with `DBM_STALE_VERSION` when there is such a row: then it was its version that did not fit. */
  async #assertGone(key: unknown, options: FindOptions): Promise<void> {
    const { connectionName, name, version } = this.#table;
    const there = await this.#exists(all([this.#isRow(key), this.#table.visible(options.deleted)]), options);
    if (!there) return;
    throw new DbManagerError('DBM_STALE_VERSION', `the row of ${name} has been changed since it was read`, {
      connectionName,
      table: name,
      column: version?.name,
    });
  }

  #only(rows: readonly StoredRow[]): T {
    const [row] = rows;
    if (row !== undefined) return this.#table.decoded<T>(row);
    const { connectionName, name } = this.#table;
    const message = `${name} did not keep the row that was written: a trigger or a rule has seen to that`;
    throw new DbManagerError('DBM_NOT_FOUND', message, { connectionName, table: name });
  }
}

/**
 * The repository of a table. It costs little to make and holds nothing, so it needs no closing, stays valid across reconnects, and
 * may be made before the connection is open.
 *
 * Throws `DBM_INVALID_OPTION` for a declaration that cannot be, `DBM_UNSUPPORTED` on a type of connection that repositories do not
 * run on, `DBM_PACKAGE_NOT_INSTALLED` without knex.
 */
export function createRepository<T extends object>(
  target: RepositoryTarget,
  options: RepositoryOptions<T>,
): Repository<T> {
  const table = new Table(target.name, target.type, options as RepositoryOptions<object>);
  return new Repository<T>(target, table, options.now);
}

/** All of them hold; undefined when there is none. */
function allOf(parts: readonly Condition[]): Condition {
  return parts.some((part) => part !== undefined) ? all(parts) : undefined;
}

/** What the Database API is to know of a call. */
function callOptions({ signal, timeout }: RepositoryCallOptions): RepositoryCallOptions | undefined {
  return signal === undefined && timeout === undefined ? undefined : { signal, timeout };
}

function isSame(one: unknown, other: unknown): boolean {
  if (one instanceof Uint8Array && other instanceof Uint8Array) return Buffer.compare(one, other) === 0;
  return typeof one === typeof other ? one === other : String(one) === String(other);
}
