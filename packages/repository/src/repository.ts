import { DbManagerError } from '@dbmanager/core';
import type { Transaction } from '@dbmanager/database';
import type { Column } from './column.js';
import type { Filter } from './filter.js';
import { compileFilter } from './filter-compiler.js';
import { ALWAYS, all, allOf, type Fragment } from './fragment.js';
import { insertBatches } from './insert-batches.js';
import { invalidInput, kindOf } from './invalid-input.js';
import { Keyset } from './keyset.js';
import { PageQuery } from './page-query.js';
import {
  CALL_OPTIONS,
  type DeleteManyOptions,
  type DeleteOptions,
  type FindOptions,
  type ListOptions,
  type Page,
  type PageOptions,
  REPOSITORY_OPTIONS,
  type RepositoryCallOptions,
  type RepositoryOptions,
  type UpsertOptions,
} from './repository-options.js';
import { inTransaction, type RepositoryTarget, type Statements } from './repository-scope.js';
import type { Selection } from './select-texts.js';
import { type StoredRow, Table } from './table.js';
import { UpsertQuery } from './upsert-query.js';

/** What MySQL tells of an insert that has counted up nothing. */
const NO_INSERT_ID = 0;

/** The key of a row. */
export type RowId = string | number | bigint | Uint8Array;

/** Values of a row that is to be made, or changed; those left undefined are left out. */
export type RowValues<T> = { readonly [K in keyof T]?: T[K] | undefined };

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

  constructor(target: RepositoryTarget, table: Table, now: () => Date = () => new Date()) {
    this.#target = target;
    this.#table = table;
    this.#now = now;
  }

  /** The same repository in a transaction on its connection, or in one nested in that. Throws `DBM_INVALID_OPTION` for another's. */
  in(tx: Transaction): Repository<T> {
    const { name, type } = this.#target;
    if (tx?.name !== name) {
      throw new DbManagerError('DBM_INVALID_OPTION', 'the transaction is not one of this connection', {
        connectionName: name,
        option: 'tx',
      });
    }
    return new Repository<T>({ name, type, scope: () => tx }, this.#table, this.#now);
  }

  // --- reading

  /** The row with that key, or undefined when there is none. */
  async findById(id: RowId, options: FindOptions = {}): Promise<T | undefined> {
    const table = this.#table;
    this.#check('find', options);
    const where = all([table.isRow(table.id.compared(id, 'id')), table.visible(options.deleted)]);
    const [row] = await this.#select({ where }, options);
    return row && table.decoded<T>(row);
  }

  /** The first row that fits, in the order asked for; undefined when there is none. */
  async findOne(filter: Filter<T>, options: Omit<ListOptions<T>, 'limit'> = {}): Promise<T | undefined> {
    this.#check('findOne', options);
    const [row] = await this.list(filter, { ...options, limit: 1 });
    return row;
  }

  /** The rows that fit, all unless there is a limit. */
  async list(filter?: Filter<T>, options: ListOptions<T> = {}): Promise<T[]> {
    const table = this.#table;
    this.#check('list', options);
    const limit = options.limit === undefined ? undefined : table.count(options.limit, 'limit');
    const offset = options.offset === undefined ? undefined : table.count(options.offset, 'offset');
    const orderBy = new Keyset(table, options.order).orderBy(false);
    const where = this.#found(filter, options);
    if (limit === 0) return []; // which SQL Server cannot be asked for
    const rows = await this.#select({ where, orderBy, limit, offset }, options);
    return rows.map((row) => table.decoded<T>(row));
  }

  /**
   * A page of the rows that fit. The cursors in it lead to the pages beside it: each row that was there all the time, and in the
   * same place, is in one of the pages, and none is in two, whatever is inserted or deleted meanwhile. Give them with the same
   * order and the same filter.
   */
  async page(filter?: Filter<T>, options: PageOptions<T> = {}): Promise<Page<T>> {
    this.#check('page', options);
    const query = new PageQuery(this.#table, options);
    const rows = await this.#query(query.statement(this.#found(filter, options)), options);
    return query.page<T>(rows);
  }

  /** How many rows fit. */
  async count(filter?: Filter<T>, options: FindOptions = {}): Promise<number> {
    this.#check('find', options);
    const counted = this.#table.builder.raw('count(*) as rows_found');
    const query = this.#table.where(this.#found(filter, options)).select(counted);
    const [row] = await this.#query(query.toSQL(), options);
    return Number(row?.rows_found);
  }

  /** Whether any row fits. */
  async exists(filter?: Filter<T>, options: FindOptions = {}): Promise<boolean> {
    this.#check('find', options);
    return this.#exists(this.#found(filter, options), options);
  }

  // --- writing

  /** Inserts a row and gives it as the database has it, with its key and its defaults. */
  async create(values: RowValues<T>, options: RepositoryCallOptions = {}): Promise<T> {
    const table = this.#table;
    this.#check('write', options);
    const row = table.inserted(values, 'values');
    const insert = table.builder(table.name).insert(row);
    switch (table.flavour.insertReturns) {
      case 'by knex':
        return this.#only(await this.#query(insert.returning(table.names).toSQL(), options));
      case 'by text':
        return this.#only(await this.#query(table.returning(insert.toSQL()), options));
      default:
        return this.#inTransaction(options, async (tx) => {
          const { sql, bindings } = insert.toSQL();
          const { lastInsertId } = await tx.execute(sql, bindings, callOptions(options));
          const key = row[table.id.name] ?? lastInsertId;
          if (key === undefined || key === NO_INSERT_ID) throw this.#untold();
          return this.#only(await this.#select({ where: table.isRow(key) }, options, tx));
        });
    }
  }

  /**
   * Inserts all of the rows or none, in as few statements as can be, and gives their number. Rows need not have the same
   * columns; those that one leaves out have their defaults.
   */
  async createMany(rows: readonly RowValues<T>[], options: RepositoryCallOptions = {}): Promise<number> {
    const table = this.#table;
    this.#check('write', options);
    if (!Array.isArray(rows)) throw invalidInput(table.connectionName, 'rows', `takes a list, not ${kindOf(rows)}`);
    // By index: holes are undefined, and refused as such.
    const stored = Array.from(rows, (values: unknown, index) => table.inserted(values, `rows.${index}`));
    const batches = insertBatches(stored, table.flavour);
    const inserts = batches.map((batch) => table.builder(table.name).insert(batch).toSQL());
    const [only, ...others] = inserts;
    if (only === undefined) return 0;
    if (others.length === 0) return this.#changed(only, options);
    return this.#inTransaction(options, async (tx) => {
      let created = 0;
      for (const insert of inserts) created += await this.#changed(insert, options, tx);
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
    this.#check('find', options);
    const key = table.id.compared(id, 'id');
    const row = table.stored(changes, 'changes');
    const version = takenOut(row, table.version);
    const given = takenOut(row, table.id);
    if (given !== undefined && !isSame(given, key)) {
      throw invalidInput(table.connectionName, `changes.${table.id.name}`, 'the key of a row cannot be changed');
    }
    const where = all([table.isRow(key, version), table.visible(options.deleted)]);
    const updated = await this.#updateOne(key, where, this.#assigned(row), options);
    if (updated !== undefined) return updated;
    if (version !== undefined) await this.#assertGone(key, options);
    throw new DbManagerError('DBM_NOT_FOUND', `${table.name} has no row with that key`, {
      connectionName: table.connectionName,
      table: table.name,
    });
  }

  /** Changes all rows that fit, and gives their number. A filter that says nothing, or leaves nothing out, is refused. */
  async updateWhere(filter: Filter<T>, changes: RowValues<T>, options: FindOptions = {}): Promise<number> {
    const table = this.#table;
    this.#check('find', options);
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
    this.#check('upsert', options);
    const upsert = new UpsertQuery(table, values, options);
    const statement = upsert.statement();
    const { insertReturns, upsertError } = table.flavour;
    try {
      if (insertReturns === 'by knex') return this.#only(await this.#query(statement, options));
      if (insertReturns === 'by text') return this.#only(await this.#query(table.returning(statement), options));
      return await this.#inTransaction(options, async (tx) => {
        await this.#changed(statement, options, tx);
        return this.#only(await this.#select({ where: upsert.found }, options, tx));
      });
    } catch (error) {
      throw upsertError?.(error, table.connectionName, table.name) ?? error;
    }
  }

  /**
   * Deletes the row with that key: softly where the table has a column for it. False when there is none, or none that was not
   * deleted already. Rejects with `DBM_STALE_VERSION` when a version is given and the row has another.
   */
  async delete(id: RowId, options: DeleteOptions = {}): Promise<boolean> {
    const table = this.#table;
    this.#check('delete', options);
    const key = table.id.compared(id, 'id');
    const version = this.#version(options.version);
    const isHard = this.#isHard(options);
    const deleted = isHard ? 'include' : 'exclude';
    const where = all([table.isRow(key, version), table.visible(deleted)]);
    if ((await this.#remove(where, isHard, options)) > 0) return true;
    if (version !== undefined) await this.#assertGone(key, { ...options, deleted });
    return false;
  }

  /** Deletes all rows that fit, as {@link delete} does, and gives their number. Filters are refused as by {@link updateWhere}. */
  async deleteWhere(filter: Filter<T>, options: DeleteManyOptions = {}): Promise<number> {
    this.#check('deleteWhere', options);
    return this.#remove(this.#meant(filter, options), this.#isHard(options), options);
  }

  /** Takes a soft deletion back. False when no row with that key was deleted. Rejects with `DBM_UNSUPPORTED` without `deletedAt`. */
  async restore(id: RowId, options: RepositoryCallOptions = {}): Promise<boolean> {
    const table = this.#table;
    this.#check('write', options);
    const { name } = table.deletion;
    const where = all([table.isRow(table.id.compared(id, 'id')), table.visible('only')]);
    return (await this.#updateAll(where, table.assigned({ [name]: null }), options)) > 0;
  }

  // --- what was given

  /** Throws `DBM_INVALID_OPTION` for an option that there is not. */
  #check(call: keyof typeof CALL_OPTIONS, options: object): void {
    CALL_OPTIONS[call].check(options, this.#table.connectionName);
  }

  #found(filter: Filter<T> | undefined, { deleted }: FindOptions): Fragment | undefined {
    return allOf([compileFilter(this.#table, filter), this.#table.visible(deleted)]);
  }

  /** As {@link #found}, of a filter that must leave something out. */
  #meant(filter: Filter<T>, { deleted }: FindOptions): Fragment {
    const condition = compileFilter(this.#table, filter);
    if (condition !== undefined && condition !== ALWAYS) return all([condition, this.#table.visible(deleted)]);
    const said = condition === undefined ? 'says nothing' : 'leaves nothing out';
    throw invalidInput(this.#table.connectionName, 'filter', `${said}: all rows would be meant`);
  }

  #assigned(row: StoredRow): StoredRow {
    if (Object.keys(row).length > 0) return this.#table.assigned(row);
    throw invalidInput(this.#table.connectionName, 'changes', 'change nothing');
  }

  #version(version: unknown): unknown {
    if (version === undefined) return undefined;
    const { version: column, connectionName, name } = this.#table;
    if (column !== undefined) return column.compared(version, 'version');
    throw invalidInput(connectionName, 'version', `${name} has no column declared as version`);
  }

  #isHard({ hard = false }: Pick<DeleteOptions, 'hard'>): boolean {
    const { connectionName, deletedAt } = this.#table;
    if (typeof hard !== 'boolean')
      throw invalidInput(connectionName, 'hard', `takes true or false, not ${kindOf(hard)}`);
    return hard || deletedAt === undefined;
  }

  // --- statements

  #select(selection: Selection, options: RepositoryCallOptions, scope?: Statements): Promise<StoredRow[]> {
    return this.#query(this.#table.selects.statement(selection), options, scope);
  }

  #query(
    { sql, bindings }: Fragment,
    options: RepositoryCallOptions,
    scope: Statements = this.#target.scope(),
  ): Promise<StoredRow[]> {
    this.#table.assertFits(bindings);
    return scope.query<StoredRow>(sql, bindings, callOptions(options));
  }

  /** Runs a statement for the number of rows it changes. */
  async #changed(
    { sql, bindings }: Fragment,
    options: RepositoryCallOptions,
    scope: Statements = this.#target.scope(),
  ): Promise<number> {
    this.#table.assertFits(bindings);
    const text = this.#table.flavour.countedText?.(sql) ?? sql;
    const { rowsAffected } = await scope.execute(text, bindings, callOptions(options));
    return rowsAffected;
  }

  #inTransaction<R>({ signal }: RepositoryCallOptions, work: (tx: Statements) => Promise<R>): Promise<R> {
    return inTransaction(this.#target.scope(), signal, work);
  }

  async #exists(condition: Fragment | undefined, options: RepositoryCallOptions): Promise<boolean> {
    const query = this.#table.where(condition).select(this.#table.builder.raw('1 as found')).limit(1);
    const rows = await this.#query(query.toSQL(), options);
    return rows.length > 0;
  }

  /** The row as it is after the update, or undefined when there was none to update. */
  async #updateOne(key: unknown, where: Fragment, assigned: StoredRow, options: FindOptions): Promise<T | undefined> {
    const table = this.#table;
    const update = table.where(where).update(assigned);
    const [row] = table.flavour.updateReturns
      ? await this.#query(update.returning(table.names).toSQL(), options)
      : await this.#inTransaction(options, async (tx) => {
          const changed = await this.#changed(update.toSQL(), options, tx);
          return changed === 0 ? [] : this.#select({ where: table.isRow(key) }, options, tx);
        });
    return row && table.decoded<T>(row);
  }

  #updateAll(where: Fragment, assigned: StoredRow, options: RepositoryCallOptions): Promise<number> {
    return this.#changed(this.#table.where(where).update(assigned).toSQL(), options);
  }

  #remove(where: Fragment, isHard: boolean, options: RepositoryCallOptions): Promise<number> {
    if (isHard) return this.#changed(this.#table.where(where).delete().toSQL(), options);
    const { deletion } = this.#table;
    const now = deletion.stored(this.#now(), 'now');
    return this.#updateAll(where, this.#table.assigned({ [deletion.name]: now }), options);
  }

  /** Rejects with `DBM_STALE_VERSION` when there is such a row: then it was its version that did not fit. */
  async #assertGone(key: unknown, options: FindOptions): Promise<void> {
    const { connectionName, name, version } = this.#table;
    const there = await this.#exists(all([this.#table.isRow(key), this.#table.visible(options.deleted)]), options);
    if (!there) return;
    throw new DbManagerError('DBM_STALE_VERSION', `the row of ${name} has been changed since it was read`, {
      connectionName,
      table: name,
      column: version?.name,
    });
  }

  /** The error for a key that the server has made in a way that it does not tell. */
  #untold(): DbManagerError {
    const { connectionName, id } = this.#table;
    const reason = 'is needed: here the server tells no key that it has made otherwise than by counting';
    return invalidInput(connectionName, `values.${id.name}`, reason, id.name);
  }

  #only([row]: readonly StoredRow[]): T {
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
  REPOSITORY_OPTIONS.check(options, target.name);
  const { now } = options;
  if (now !== undefined && typeof now !== 'function') {
    throw new DbManagerError('DBM_INVALID_OPTION', 'now is a function that gives a Date', {
      connectionName: target.name,
      option: 'now',
    });
  }
  const table = new Table(target.name, target.type, options as RepositoryOptions<object>);
  return new Repository<T>(target, table, now);
}

/** What the Database API is to know of a call. */
function callOptions({ signal, timeout }: RepositoryCallOptions): RepositoryCallOptions | undefined {
  return signal === undefined && timeout === undefined ? undefined : { signal, timeout };
}

/** The value of a column, which the row then has no more. */
function takenOut(row: StoredRow, column: Column | undefined): unknown {
  if (column === undefined) return undefined;
  const value = row[column.name];
  delete row[column.name];
  return value;
}

function isSame(one: unknown, other: unknown): boolean {
  if (one instanceof Uint8Array && other instanceof Uint8Array) return Buffer.compare(one, other) === 0;
  return typeof one === typeof other ? one === other : String(one) === String(other);
}
