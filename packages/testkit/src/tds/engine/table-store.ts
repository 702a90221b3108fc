import type { Database as Sqlite } from 'better-sqlite3';
import { SqlError } from '../sql-error.js';
import type {
  ColumnDefinition,
  ConstraintDefinition,
  IndexDefinition,
  TableAlteration,
  TableDefinition,
} from '../table-definition.js';
import { defaultExpression } from '../tsql/default-expression.js';
import { quoted, tableName } from '../tsql/sqlite-names.js';
import type { Catalog, CatalogObject } from './catalog.js';
import type { StandInDatabase } from './database.js';
import { madeUpName, objectId, objectKey } from './object-names.js';
import { indexName, indexSql, type TranslateExpression, tableSql } from './table-sql.js';

/** Makes, changes and drops the tables of a database for one session. Its caller holds the writer lock, in a transaction. */
export class TableStore {
  readonly #sqlite: Sqlite;
  readonly #catalog: Catalog;
  readonly #database: StandInDatabase;
  readonly #translate: TranslateExpression;

  constructor(sqlite: Sqlite, catalog: Catalog, database: StandInDatabase, translate: TranslateExpression) {
    this.#sqlite = sqlite;
    this.#catalog = catalog;
    this.#database = database;
    this.#translate = translate;
  }

  create(parts: readonly string[], given: TableDefinition): void {
    const [name = '', schema = 'dbo'] = [...parts].reverse();
    if (!this.#catalog.hasSchema(schema)) {
      throw new SqlError(
        2760,
        `The specified schema name "${schema}" either does not exist or you do not have permission to use it.`,
      );
    }
    if (this.#catalog.find(parts) !== undefined) throw exists(name);
    const id = objectId(objectKey(parts));
    const sqlName = tableName(schema, name);
    const definition = this.#completed(name, id, given);
    this.#sqlite.exec(tableSql(sqlName, definition, this.#translate));
    for (const sql of indexSql(sqlName, definition, this.#translate)) this.#sqlite.exec(sql);
    this.#catalog.save({ id, kind: 'U', schema, name, sqlName, definition, text: null });
    this.#database.setIdentity(id, undefined);
  }

  createView(parts: readonly string[], query: string, text: string): void {
    const [name = '', schema = 'dbo'] = [...parts].reverse();
    if (this.#catalog.find(parts) !== undefined) throw exists(name);
    const sqlName = tableName(schema, name);
    this.#sqlite.exec(`CREATE VIEW ${quoted(sqlName)} AS ${query}`);
    const columns = (this.#sqlite.pragma(`table_info(${quoted(sqlName)})`) as { name: string }[]).map(
      (column): ColumnDefinition => ({ name: column.name, type: { name: 'nvarchar', length: 'max' }, nullable: true }),
    );
    const definition = { columns, constraints: [], indexes: [] };
    this.#catalog.save({ id: objectId(objectKey(parts)), kind: 'V', schema, name, sqlName, definition, text });
  }

  alter(parts: readonly string[], alteration: TableAlteration): void {
    const table = this.#table(parts);
    switch (alteration.kind) {
      case 'add':
        this.#add(table, alteration);
        return;
      case 'alterColumn': {
        const { name, type, nullable } = alteration;
        const columns = replaced(table, name, (column) => ({ ...column, type, nullable }));
        if (!nullable) this.#refuseNulls(table, name);
        this.#rewrite(table, { ...table.definition, columns });
        return;
      }
      case 'drop':
        for (const name of alteration.constraints) this.#dropConstraint(parts, name, alteration.ifExists);
        for (const name of alteration.columns) this.#dropColumn(parts, name, alteration.ifExists);
        return;
      case 'check':
        this.#enforce(table, alteration);
        return;
    }
  }

  createIndex(parts: readonly string[], index: IndexDefinition): void {
    const table = this.#table(parts);
    const { indexes } = table.definition;
    if (indexes.some(({ name }) => same(name, index.name))) {
      const what = `the index or statistics with name '${index.name}' already exists on table '${table.name}'`;
      throw new SqlError(1913, `The operation failed because an ${what.slice(4)}.`);
    }
    for (const sql of indexSql(table.sqlName, { columns: [], constraints: [], indexes: [index] }, this.#translate))
      this.#sqlite.exec(sql);
    this.#catalog.save({ ...table, definition: { ...table.definition, indexes: [...indexes, index] } });
  }

  dropIndex(parts: readonly string[], name: string, ifExists: boolean): void {
    const table = this.#table(parts);
    const { indexes } = table.definition;
    const index = indexes.find((candidate) => same(candidate.name, name));
    if (index === undefined) {
      if (ifExists) return;
      throw new SqlError(
        3701,
        `Cannot drop the index '${table.name}.${name}', because it does not exist or you do not have permission.`,
        { severity: 11, state: 7 },
      );
    }
    this.#sqlite.exec(`DROP INDEX ${quoted(indexName(table.sqlName, index.name))}`);
    this.#catalog.save({
      ...table,
      definition: { ...table.definition, indexes: indexes.filter((other) => other !== index) },
    });
  }

  drop(parts: readonly string[], kind: 'U' | 'V', ifExists: boolean): void {
    const found = this.#catalog.find(parts);
    if (found?.kind !== kind) {
      if (ifExists) return;
      throw cannotDrop(kind, parts);
    }
    const referring = this.#catalog.all().find((other) => other.id !== found.id && refersTo(other, found));
    if (referring !== undefined) {
      throw new SqlError(
        3726,
        `Could not drop object '${parts.join('.')}' because it is referenced by a FOREIGN KEY constraint.`,
      );
    }
    this.#sqlite.exec(`DROP ${kind === 'U' ? 'TABLE' : 'VIEW'} ${quoted(found.sqlName)}`);
    this.#catalog.remove(found.id);
  }

  /** Empties a table and lets its identity column begin anew. */
  truncate(parts: readonly string[]): void {
    const table = this.#table(parts);
    if (this.#catalog.all().some((other) => other.id !== table.id && refersTo(other, table))) {
      throw new SqlError(
        4712,
        `Cannot truncate table '${table.name}' because it is being referenced by a FOREIGN KEY constraint.`,
      );
    }
    this.#sqlite.exec(`DELETE FROM ${quoted(table.sqlName)}`);
    const { identity } = table.definition.columns.find((column) => column.identity !== undefined) ?? {};
    if (identity !== undefined) this.#database.setIdentity(identity.id, undefined);
  }

  renameTable(parts: readonly string[], name: string): void {
    const table = this.#table(parts);
    const sqlName = tableName(table.schema, name);
    for (const index of namedIndexes(table.definition))
      this.#sqlite.exec(`DROP INDEX ${quoted(indexName(table.sqlName, index))}`);
    this.#sqlite.exec(`ALTER TABLE ${quoted(table.sqlName)} RENAME TO ${quoted(sqlName)}`);
    for (const sql of indexSql(sqlName, table.definition, this.#translate)) this.#sqlite.exec(sql);
    this.#catalog.remove(table.id);
    const id = objectId(objectKey([table.schema, name]));
    this.#catalog.save({ ...table, id, name, sqlName });
    for (const other of this.#catalog.all()) {
      if (!refersTo(other, table)) continue;
      const constraints = other.definition.constraints.map((constraint) =>
        constraint.kind === 'foreign' && constraintRefersTo(constraint, table)
          ? { ...constraint, references: [table.schema, name] }
          : constraint,
      );
      this.#catalog.save({ ...other, definition: { ...other.definition, constraints } });
    }
  }

  renameColumn(parts: readonly string[], from: string, to: string): void {
    const table = this.#table(parts);
    this.#sqlite.exec(`ALTER TABLE ${quoted(table.sqlName)} RENAME COLUMN ${quoted(from)} TO ${quoted(to)}`);
    const renamed = (names: readonly string[]) => names.map((name) => (same(name, from) ? to : name));
    const { constraints, indexes } = table.definition;
    const columns = replaced(table, from, (column) => ({ ...column, name: to }));
    this.#catalog.save({
      ...table,
      definition: {
        columns,
        constraints: constraints.map((constraint) =>
          constraint.kind === 'check' ? constraint : { ...constraint, columns: renamed(constraint.columns) },
        ),
        indexes: indexes.map((index) => ({ ...index, columns: renamed(index.columns) })),
      },
    });
  }

  /** Renames a key or index; what it is of is found by its table. */
  renameIndex(parts: readonly string[], from: string, to: string): void {
    const table = this.#table(parts);
    const renamed = <T extends { readonly name: string }>(item: T): T =>
      same(item.name, from) ? { ...item, name: to } : item;
    const { columns, constraints, indexes } = table.definition;
    const definition = { columns, constraints: constraints.map(renamed), indexes: indexes.map(renamed) };
    if (namedIndexes(table.definition).some((name) => same(name, from))) {
      for (const index of namedIndexes(table.definition))
        this.#sqlite.exec(`DROP INDEX ${quoted(indexName(table.sqlName, index))}`);
      for (const sql of indexSql(table.sqlName, definition, this.#translate)) this.#sqlite.exec(sql);
      this.#catalog.save({ ...table, definition });
    } else this.#rewrite(table, definition);
  }

  #table(parts: readonly string[]): CatalogObject {
    const table = this.#catalog.find(parts);
    if (table?.kind === 'U') return table;
    const name = parts.join('.');
    throw new SqlError(
      4902,
      `Cannot find the object "${name}" because it does not exist or you do not have permissions.`,
    );
  }

  /** [NO]CHECK CONSTRAINT: whether foreign keys are looked after. */
  #enforce(table: CatalogObject, { on, name }: Extract<TableAlteration, { kind: 'check' }>): void {
    const constraints = table.definition.constraints.map((constraint) =>
      constraint.kind === 'foreign' && (name === undefined || same(constraint.name, name))
        ? { ...constraint, disabled: !on }
        : constraint,
    );
    this.#rewrite(table, { ...table.definition, constraints });
  }

  #add(table: CatalogObject, { definition: given, defaults }: Extract<TableAlteration, { kind: 'add' }>): void {
    const added = this.#completed(table.name, table.id, given);
    const named = defaults.map((own) => ({
      ...own,
      name: own.name === '' ? madeUpName('DF', table.name, own.column) : own.name,
    }));
    for (const column of added.columns) this.#addColumn(table, column);
    const columns = [...table.definition.columns, ...added.columns].map((column) => {
      const own = named.find((candidate) => same(candidate.column, column.name));
      return own === undefined ? column : { ...column, default: { name: own.name, expression: own.expression } };
    });
    const constraints = [...table.definition.constraints, ...added.constraints];
    const definition = { columns, constraints, indexes: [...table.definition.indexes, ...added.indexes] };
    for (const sql of indexSql(table.sqlName, added, this.#translate)) this.#sqlite.exec(sql);
    this.#rewrite(table, definition);
    this.#verify(table, added.constraints);
  }

  /** Rows that are there already get the default, where one is wanted. */
  #addColumn({ sqlName }: CatalogObject, column: ColumnDefinition): void {
    if (column.computed !== undefined) return;
    this.#sqlite.exec(`ALTER TABLE ${quoted(sqlName)} ADD COLUMN ${quoted(column.name)}`);
    const value = defaultExpression(column, this.#translate);
    if (value === undefined || (column.nullable && column.identity === undefined)) {
      const rows = column.nullable ? undefined : this.#sqlite.prepare(`SELECT 1 FROM ${quoted(sqlName)} LIMIT 1`).get();
      if (rows === undefined) return;
      throw new SqlError(
        4901,
        `ALTER TABLE only allows columns to be added that can contain nulls, or have a DEFAULT definition specified: column '${column.name}'.`,
      );
    }
    this.#sqlite.exec(`UPDATE ${quoted(sqlName)} SET ${quoted(column.name)} = ${value}`);
  }

  #refuseNulls({ sqlName, name: table }: CatalogObject, column: string): void {
    const broken = this.#sqlite
      .prepare(`SELECT 1 FROM ${quoted(sqlName)} WHERE ${quoted(column)} IS NULL LIMIT 1`)
      .get();
    if (broken === undefined) return;
    const place = `column '${column}', table '${this.#database.name}.dbo.${table}'`;
    throw new SqlError(515, `Cannot insert the value NULL into ${place}; column does not allow nulls. UPDATE fails.`, {
      state: 2,
    });
  }

  /** Rows that are there already must keep to what is added. */
  #verify({ sqlName }: CatalogObject, constraints: readonly ConstraintDefinition[]): void {
    const kinds = new Set(constraints.map(({ kind }) => kind));
    if (
      kinds.has('foreign') &&
      (this.#sqlite.pragma(`foreign_key_check(${quoted(sqlName)})`) as unknown[]).length > 0
    ) {
      throw new SqlError(547, 'The ALTER TABLE statement conflicted with the FOREIGN KEY constraint.', { state: 0 });
    }
    for (const constraint of constraints) {
      if (constraint.kind !== 'check') continue;
      const broken = `SELECT 1 FROM ${quoted(sqlName)} WHERE NOT (${this.#translate(constraint.expression)}) LIMIT 1`;
      if (this.#sqlite.prepare(broken).get() === undefined) continue;
      throw new SqlError(547, `The ALTER TABLE statement conflicted with the CHECK constraint "${constraint.name}".`, {
        state: 0,
      });
    }
  }

  #dropConstraint(parts: readonly string[], name: string, ifExists: boolean): void {
    const table = this.#table(parts);
    const { columns, constraints, indexes } = table.definition;
    const constraint = constraints.find((candidate) => same(candidate.name, name));
    const withDefault = columns.find((column) => column.default !== undefined && same(column.default.name, name));
    if (constraint === undefined && withDefault === undefined) {
      if (ifExists) return;
      throw new SqlError(3728, `'${name}' is not a constraint.`);
    }
    if (constraint?.kind === 'primary' || constraint?.kind === 'unique') {
      this.#sqlite.exec(`DROP INDEX ${quoted(indexName(table.sqlName, constraint.name))}`);
    }
    this.#rewrite(table, {
      columns: columns.map((column) => (column === withDefault ? without(column, 'default') : column)),
      constraints: constraints.filter((other) => other !== constraint),
      indexes,
    });
  }

  #dropColumn(parts: readonly string[], name: string, ifExists: boolean): void {
    const table = this.#table(parts);
    const column = table.definition.columns.find((candidate) => same(candidate.name, name));
    if (column === undefined) {
      if (ifExists) return;
      throw new SqlError(
        4924,
        `ALTER TABLE DROP COLUMN failed because column '${name}' does not exist in table '${table.name}'.`,
      );
    }
    const blocking = dependent(table.definition, column);
    if (blocking !== undefined) {
      throw new SqlError(5074, `The object '${blocking}' is dependent on column '${name}'.`);
    }
    // Without its checks, which would keep SQLite from dropping it.
    const bare = replaced(table, name, () => ({ name: column.name, type: { name: 'sql_variant' }, nullable: true }));
    this.#rewrite(table, { ...table.definition, columns: bare });
    this.#sqlite.exec(`ALTER TABLE ${quoted(table.sqlName)} DROP COLUMN ${quoted(column.name)}`);
    const columns = table.definition.columns.filter((other) => other !== column);
    this.#catalog.save({ ...table, definition: { ...table.definition, columns } });
  }

  /**
   * Gives a table another definition while its rows stay as they are, which ALTER TABLE of SQLite cannot. Keys are indexes,
   * so that no definition changes how rows are stored.
   */
  #rewrite(table: CatalogObject, definition: TableDefinition): void {
    const version = this.#sqlite.pragma('schema_version', { simple: true }) as bigint;
    this.#sqlite.pragma('writable_schema = ON');
    this.#sqlite
      .prepare(`UPDATE sqlite_schema SET sql = ? WHERE type = 'table' AND name = ? COLLATE NOCASE`)
      .run(tableSql(table.sqlName, definition, this.#translate), table.sqlName);
    this.#sqlite.pragma(`schema_version = ${version + 1n}`);
    this.#sqlite.pragma('writable_schema = RESET');
    this.#catalog.save({ ...table, definition });
  }

  /** With names for all constraints and an id for the identity column. */
  #completed(table: string, id: number, { columns, constraints, indexes }: TableDefinition): TableDefinition {
    return {
      columns: columns.map((column) => ({
        ...column,
        nullable:
          column.nullable &&
          !constraints.some((key) => key.kind === 'primary' && key.columns.some((name) => same(name, column.name))),
        ...(column.identity && { identity: { ...column.identity, id } }),
        ...(column.default && { default: named(column.default, 'DF', table, column.name) }),
      })),
      constraints: constraints.map((constraint) => this.#completedConstraint(table, constraint)),
      indexes,
    };
  }

  #completedConstraint(table: string, constraint: ConstraintDefinition): ConstraintDefinition {
    const prefix = { primary: 'PK', unique: 'UQ', foreign: 'FK', check: 'CK' }[constraint.kind];
    const what = constraint.kind === 'check' ? [constraint.expression] : constraint.columns;
    const whole = named(constraint, prefix, table, ...what);
    if (whole.kind !== 'foreign' || whole.referenced.length > 0) return whole;
    const referenced = this.#catalog.find(whole.references);
    const key = referenced?.definition.constraints.find(({ kind }) => kind === 'primary');
    if (key?.kind !== 'primary') {
      throw new SqlError(
        1767,
        `Foreign key '${whole.name}' references invalid table '${whole.references.join('.')}'.`,
        { state: 0 },
      );
    }
    return { ...whole, referenced: key.columns };
  }
}

function named<T extends { readonly name: string }>(
  item: T,
  prefix: string,
  table: string,
  ...parts: readonly string[]
): T {
  return item.name === '' ? { ...item, name: madeUpName(prefix, table, ...parts) } : item;
}

/** Nothing of that kind and name is there to be dropped. */
export function cannotDrop(kind: CatalogObject['kind'], parts: readonly string[]): SqlError {
  const what = kind === 'U' ? 'table' : 'view';
  return new SqlError(
    3701,
    `Cannot drop the ${what} '${parts.join('.')}', because it does not exist or you do not have permission.`,
    { severity: 11, state: 5 },
  );
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function exists(name: string): SqlError {
  return new SqlError(2714, `There is already an object named '${name}' in the database.`, { state: 6 });
}

function without<T extends object, K extends keyof T>(item: T, key: K): Omit<T, K> {
  const { [key]: _left, ...rest } = item;
  return rest;
}

function replaced(
  table: CatalogObject,
  name: string,
  change: (column: ColumnDefinition) => ColumnDefinition,
): ColumnDefinition[] {
  const { columns } = table.definition;
  if (!columns.some((column) => same(column.name, name))) {
    throw new SqlError(
      4924,
      `ALTER TABLE ALTER COLUMN failed because column '${name}' does not exist in table '${table.name}'.`,
    );
  }
  return columns.map((column) => (same(column.name, name) ? change(column) : column));
}

/** Names of the keys and indexes, which SQLite has as indexes. */
function namedIndexes({ constraints, indexes }: TableDefinition): string[] {
  const keys = constraints.filter(({ kind }) => kind === 'primary' || kind === 'unique');
  return [...keys, ...indexes].map(({ name }) => name);
}

function refersTo(other: CatalogObject, table: CatalogObject): boolean {
  return other.definition.constraints.some((constraint) => constraintRefersTo(constraint, table));
}

function constraintRefersTo(constraint: ConstraintDefinition, table: CatalogObject): boolean {
  return constraint.kind === 'foreign' && objectKey(constraint.references) === objectKey([table.schema, table.name]);
}

/** The name of what keeps a column from being dropped. */
function dependent({ constraints, indexes }: TableDefinition, column: ColumnDefinition): string | undefined {
  if (column.default !== undefined) return column.default.name;
  const uses = (columns: readonly string[]) => columns.some((name) => same(name, column.name));
  const constraint = constraints.find((candidate) =>
    candidate.kind === 'check'
      ? candidate.expression.toLowerCase().includes(`[${column.name.toLowerCase()}]`)
      : uses(candidate.columns),
  );
  return constraint?.name ?? indexes.find((index) => uses(index.columns))?.name;
}
