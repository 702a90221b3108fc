import type { Database as Sqlite } from 'better-sqlite3';
import { SqlError } from '../sql-error.js';
import type { SqlValue } from '../sql-value.js';
import type { TableDefinition } from '../table-definition.js';
import { tableName } from '../tsql/sqlite-names.js';
import { CATALOG_TABLES, CATALOG_VIEWS } from './catalog-views.js';

/** A table or view of a database. */
export interface CatalogObject {
  readonly id: number;
  readonly kind: 'U' | 'V';
  readonly schema: string;
  readonly name: string;
  /** Its name in SQLite. */
  readonly sqlName: string;
  /** Of a view without columns. */
  readonly definition: TableDefinition;
  /** Of a view, as it was written. */
  readonly text: string | null;
}

interface CatalogRow {
  readonly object_id: bigint;
  readonly kind: 'U' | 'V';
  readonly schema: string;
  readonly name: string;
  readonly sql_name: string;
  readonly definition: string;
  readonly text: string | null;
}

/** Schemas that every database has. */
const BUILT_IN = ['dbo', 'sys', 'information_schema', 'guest'];
const COLUMNS = 'object_id, kind, schema, name, sql_name, definition, text';

/** Makes what describes the tables of a database, in the database itself, unless it is there. */
export function ensureCatalog(sqlite: Sqlite): void {
  sqlite.exec(CATALOG_TABLES);
  sqlite.exec(CATALOG_VIEWS.replaceAll('CREATE VIEW', 'CREATE VIEW IF NOT EXISTS'));
}

/** The tables, views and schemas of a database, as one session sees them. */
export class Catalog {
  readonly #sqlite: Sqlite;

  constructor(sqlite: Sqlite) {
    this.#sqlite = sqlite;
  }

  hasSchema(name: string): boolean {
    if (BUILT_IN.includes(name.toLowerCase())) return true;
    return this.#sqlite.prepare('SELECT 1 FROM __schemas WHERE name = ?').get(name) !== undefined;
  }

  createSchema(name: string): void {
    if (this.hasSchema(name))
      throw new SqlError(2714, `There is already an object named '${name}' in the database.`, { state: 6 });
    this.#sqlite.prepare('INSERT INTO __schemas (name) VALUES (?)').run(name);
  }

  dropSchema(name: string): void {
    this.#sqlite.prepare('DELETE FROM __schemas WHERE name = ?').run(name);
  }

  /** The object of that name, with or without its schema; undefined when there is none. */
  find(parts: readonly string[]): CatalogObject | undefined {
    const [name = '', schema = 'dbo'] = [...parts].reverse();
    const row = this.#sqlite
      .prepare(`SELECT ${COLUMNS} FROM __objects WHERE sql_name = ?`)
      .get(tableName(schema, name)) as CatalogRow | undefined;
    return row && objectOf(row);
  }

  all(): CatalogObject[] {
    return (this.#sqlite.prepare(`SELECT ${COLUMNS} FROM __objects`).all() as CatalogRow[]).map(objectOf);
  }

  /** A table that SQLite names so. */
  bySqlName(name: string): CatalogObject | undefined {
    const row = this.#sqlite.prepare(`SELECT ${COLUMNS} FROM __objects WHERE sql_name = ?`).get(name);
    return row === undefined ? undefined : objectOf(row as CatalogRow);
  }

  /** Writes an object, new or changed. */
  save({ id, kind, schema, name, sqlName, definition, text }: CatalogObject): void {
    this.#sqlite
      .prepare(`INSERT OR REPLACE INTO __objects (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)`)
      .run(id, kind, schema, name, sqlName, JSON.stringify(definition), text);
  }

  /** Keeps a property of a table, or of a column of it; null removes it. */
  setProperty({ id, definition }: CatalogObject, column: string | undefined, name: string, value: SqlValue): void {
    const place =
      column === undefined
        ? 0
        : definition.columns.findIndex((other) => other.name.toLowerCase() === column.toLowerCase()) + 1;
    if (value === null)
      this.#sqlite
        .prepare('DELETE FROM __properties WHERE major_id = ? AND minor_id = ? AND name = ?')
        .run(id, place, name);
    else this.#sqlite.prepare('INSERT OR REPLACE INTO __properties VALUES (?, ?, ?, ?)').run(id, place, name, value);
  }

  remove(id: number): void {
    this.#sqlite.prepare('DELETE FROM __objects WHERE object_id = ?').run(id);
    this.#sqlite.prepare('DELETE FROM __properties WHERE major_id = ?').run(id);
  }
}

function objectOf(row: CatalogRow): CatalogObject {
  const { object_id: id, kind, schema, name, sql_name: sqlName, definition, text } = row;
  return { id: Number(id), kind, schema, name, sqlName, definition: JSON.parse(definition) as TableDefinition, text };
}
