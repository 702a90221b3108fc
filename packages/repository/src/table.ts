import { DbManagerError } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { Knex } from 'knex';
import { builderOf } from './builder.js';
import { assertName, Column } from './column.js';
import { type Decoder, decoderOf } from './decoders.js';
import { all, type Fragment, fragment } from './fragment.js';
import { invalidInput, kindOf, shownName } from './invalid-input.js';
import type { RepositoryOptions } from './repository-options.js';
import { SelectTexts } from './select-texts.js';
import { flavourOf, type SqlFlavour } from './sql-flavour.js';

/** A row as it is stored, by column. */
export type StoredRow = Record<string, unknown>;

/** Whether rows that were deleted softly are meant too, or alone. */
export type DeletedRows = 'exclude' | 'include' | 'only';

const DELETED: readonly DeletedRows[] = ['exclude', 'include', 'only'];

/** One declared table on one engine: what it is made of, and how rows go in and come out. */
export class Table {
  readonly connectionName: string;
  readonly flavour: SqlFlavour;
  readonly builder: Knex;
  readonly name: string;
  /** The name, quoted. */
  readonly sql: string;
  readonly columns: readonly Column[];
  readonly names: readonly string[];
  readonly id: Column;
  readonly version: Column | undefined;
  readonly deletedAt: Column | undefined;
  /** What reads its rows. */
  readonly selects = new SelectTexts(this);
  readonly #byName: ReadonlyMap<string, Column>;
  readonly #decoders: readonly (readonly [name: string, decode: Decoder])[];

  /** Throws `DBM_INVALID_OPTION` for a declaration that cannot be, `DBM_UNSUPPORTED` for a type of connection that has no SQL. */
  constructor(connectionName: string, type: string, options: RepositoryOptions<object>) {
    this.connectionName = connectionName;
    this.flavour = flavourOf(type, connectionName);
    this.builder = builderOf(this.flavour.client, connectionName);
    this.name = this.#tableName(options.table);
    this.sql = this.#quoted(this.name);
    if (typeof options.columns !== 'object' || options.columns === null) {
      const message = 'columns has every column with its kind';
      throw new DbManagerError('DBM_INVALID_OPTION', message, { connectionName, option: 'columns' });
    }
    const declared = Object.entries(options.columns);
    this.columns = declared.map(([name, kind]) => new Column(name, kind, (text) => this.#quoted(text), connectionName));
    this.names = this.columns.map(({ name }) => name);
    this.#byName = new Map(this.columns.map((column) => [column.name, column]));
    this.id = this.#role('id', options.id ?? 'id', 'not null');
    this.version = this.#optional('version', options.version, 'integer');
    this.deletedAt = this.#optional('deletedAt', options.deletedAt, 'date?');
    this.#decoders = this.columns.flatMap(({ name, kind }) => {
      const decode = decoderOf(kind, this.flavour.given);
      return decode === undefined ? [] : [[name, decode] as const];
    });
  }

  /** The declared column of that name. Throws `DBM_INVALID_INPUT` when there is none. */
  column(name: string, path: string): Column {
    const column = this.#byName.get(name);
    if (column !== undefined) return column;
    const reason = `${shownName(name)} is no column of ${this.name}; there are: ${this.names.join(', ')}`;
    throw invalidInput(this.connectionName, path, reason);
  }

  /** A row as the application sees it; the one given is changed. Throws `DBM_QUERY_FAILED` for what is not of the declared kind. */
  decoded<T>(row: Readonly<Record<string, unknown>>): T {
    const changed = row as Record<string, unknown>;
    for (const [name, decode] of this.#decoders) {
      const value = changed[name];
      if (value !== null && value !== undefined) changed[name] = this.#decoded(name, decode, value);
    }
    return changed as T;
  }

  #decoded(name: string, decode: Decoder, value: unknown): unknown {
    try {
      return decode(value);
    } catch {
      // Without the cause: parsers put what they read into their messages.
      const { connectionName } = this;
      const message = `${this.name} holds a value in ${name} that is not of the kind declared, ${this.#byName.get(name)?.kind}`;
      throw new DbManagerError('DBM_QUERY_FAILED', message, { connectionName, table: this.name, column: name });
    }
  }

  /** Values by column as they are stored; those left undefined are left out. Throws `DBM_INVALID_INPUT` for what cannot be. */
  stored(values: unknown, path: string): StoredRow {
    if (typeof values !== 'object' || values === null || Array.isArray(values)) {
      throw invalidInput(this.connectionName, path, `takes an object, not ${kindOf(values)}`);
    }
    const row: StoredRow = {};
    for (const [name, value] of Object.entries(values)) {
      const at = `${path}.${name}`;
      const column = this.column(name, at);
      if (value !== undefined) row[name] = this.#storable(column, column.stored(value, at));
    }
    return row;
  }

  // --- what was given

  /** A number of rows. Throws `DBM_INVALID_INPUT` for what is none. */
  count(value: unknown, path: string): number {
    if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
    const given = typeof value === 'number' ? String(value) : kindOf(value);
    throw invalidInput(this.connectionName, path, `takes a whole number from 0 on, not ${given}`);
  }

  #storable(column: Column, value: unknown): unknown {
    const text = value === null ? this.flavour.nullOf?.(column.kind) : undefined;
    return text === undefined ? value : this.builder.raw(text);
  }

  /** A row to be inserted: the first version of it, unless it says another. */
  inserted(values: unknown, path: string): StoredRow {
    const row = this.stored(values, path);
    const { version } = this;
    if (version !== undefined) row[version.name] ??= 1;
    return row;
  }

  /** What an UPDATE assigns: the version counts up whatever else changes. */
  assigned(row: StoredRow): StoredRow {
    const { version } = this;
    return version === undefined ? row : { ...row, [version.name]: this.builder.raw(`${version.sql} + 1`) };
  }

  /** The condition that leaves out rows that were deleted softly, or all others; undefined where all are meant. */
  visible(deleted: DeletedRows = 'exclude'): Fragment | undefined {
    if (!DELETED.includes(deleted)) {
      throw invalidInput(this.connectionName, 'deleted', `is one of ${DELETED.join(', ')}`);
    }
    if (this.deletedAt === undefined || deleted === 'include') return undefined;
    return fragment(`${this.deletedAt.sql} is ${deleted === 'only' ? 'not ' : ''}null`);
  }

  /** The condition that finds one row, in one version of it where one is given. */
  isRow(key: unknown, version?: unknown): Fragment {
    const isVersion = version === undefined ? undefined : fragment(`${this.version?.sql} = ?`, version);
    return all([fragment(`${this.id.sql} = ?`, key), isVersion]);
  }

  /** A statement about the rows that fit. */
  where(condition: Fragment | undefined): Knex.QueryBuilder {
    const query: Knex.QueryBuilder = this.builder(this.name);
    return condition === undefined ? query : query.whereRaw(condition.sql, condition.bindings as Knex.RawBinding[]);
  }

  /** A statement that gives the columns of the rows it has written, where Knex has no words for that. */
  returning({ sql, bindings }: Fragment): Fragment {
    return { sql: `${sql} returning ${this.columns.map((column) => column.sql).join(', ')}`, bindings };
  }

  /** The column that says when a row was deleted. Throws `DBM_UNSUPPORTED` where none is declared. */
  get deletion(): Column {
    if (this.deletedAt !== undefined) return this.deletedAt;
    throw new DbManagerError('DBM_UNSUPPORTED', `${this.name} has no column declared as deletedAt`, {
      connectionName: this.connectionName,
      option: 'deletedAt',
    });
  }

  /** Throws `DBM_INVALID_INPUT` when one statement cannot have so many values: only a filter may bring them. */
  assertFits({ length }: readonly unknown[]): void {
    const { maxBindings } = this.flavour;
    if (length <= maxBindings) return;
    const reason = `makes ${length} values, and one statement takes ${maxBindings} here; ask for a part of the list at a time`;
    throw invalidInput(this.connectionName, 'filter', reason);
  }

  #tableName(name: unknown): string {
    const [first, second, ...more] = typeof name === 'string' ? name.split('.') : [];
    for (const part of second === undefined ? [first] : [first, second]) {
      assertName(part, 'table', this.connectionName);
    }
    if (more.length === 0) return name as string;
    throw this.#wrongOption('table', 'a table is named `table`, or `schema.table`');
  }

  #quoted(name: string): string {
    return String(this.builder.ref(name));
  }

  #optional(option: string, name: unknown, declaration: 'integer' | 'date?'): Column | undefined {
    return name === undefined ? undefined : this.#role(option, name, declaration);
  }

  /** The column that an option names, of which only that declaration will do. */
  #role(option: string, name: unknown, declaration: 'integer' | 'date?' | 'not null'): Column {
    const column = this.#byName.get(String(name));
    if (column === undefined) throw this.#wrongOption(option, `${shownName(String(name))} is no declared column`);
    const given = column.nullable ? `${column.kind}?` : column.kind;
    const fits = declaration === 'not null' ? !column.nullable && column.kind !== 'json' : given === declaration;
    if (!fits) throw this.#wrongOption(option, `the column ${column.name} is declared as ${given}, not ${declaration}`);
    return column;
  }

  #wrongOption(option: string, message: string): DbManagerError {
    return new DbManagerError('DBM_INVALID_OPTION', message, { connectionName: this.connectionName, option });
  }
}
