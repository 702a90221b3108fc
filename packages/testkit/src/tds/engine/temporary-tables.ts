import type { TableDefinition } from '../table-definition.js';
import { quoted } from '../tsql/sqlite-names.js';
import { unsupported } from '../tsql/unsupported.js';
import type { SessionDatabase } from './session-database.js';
import { tableSql } from './table-sql.js';

interface TemporaryTable {
  readonly definition: TableDefinition;
  /** SQLite keeps temporary tables with the handle they were made by. */
  readonly in: SessionDatabase;
}

/** The temporary tables and table variables of one session, by their names. */
export class TemporaryTables {
  readonly #tables = new Map<string, TemporaryTable>();
  /** Counters of identity columns here have ids that no other has. */
  #nextId: number;

  constructor(spid: number) {
    this.#nextId = -1 - spid * 1_000_000;
  }

  /**
   * The definition of one; undefined when there is none of that name. Refused when another database was in use when it was
   * made: SQL Server has them all in one, here each stays where it is.
   */
  find(name: string, current: SessionDatabase): TableDefinition | undefined {
    const found = this.#tables.get(name.toLowerCase());
    if (found !== undefined && found.in !== current) throw unsupported('a temporary table after USE');
    return found?.definition;
  }

  create(name: string, given: TableDefinition, current: SessionDatabase): void {
    this.find(name, current);
    const id = this.#nextId--;
    const columns = given.columns.map((column) =>
      column.identity ? { ...column, identity: { ...column.identity, id } } : column,
    );
    const definition = { ...given, columns };
    // One that was made before a transaction and dropped in it is there again when that was rolled back.
    if (!this.#tables.has(name.toLowerCase())) current.sqlite.exec(`DROP TABLE IF EXISTS temp.${quoted(name)}`);
    current.database.setIdentity(id, undefined);
    current.sqlite.exec(tableSql(name, definition, current.translate).replace('CREATE TABLE', 'CREATE TEMP TABLE'));
    this.#tables.set(name.toLowerCase(), { definition, in: current });
  }

  /** Drops one, wherever it was made. False when there is none of that name. */
  drop(name: string): boolean {
    const key = name.toLowerCase();
    this.#tables.get(key)?.in.sqlite.exec(`DROP TABLE IF EXISTS temp.${quoted(name)}`);
    return this.#tables.delete(key);
  }

  dropAll(): void {
    for (const name of [...this.#tables.keys()]) this.drop(name);
  }

  /** Those made in a database that has been closed are gone. */
  forget(closed: SessionDatabase): void {
    for (const [name, table] of this.#tables) if (table.in === closed) this.#tables.delete(name);
  }
}
