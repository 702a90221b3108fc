import type { Column } from './column.js';
import { all, type Fragment, fragment } from './fragment.js';
import { invalidInput, kindOf } from './invalid-input.js';
import type { UpsertOptions } from './repository-options.js';
import type { StoredRow, Table } from './table.js';

/** A row that is to be there, by one statement that inserts or updates it. */
export class UpsertQuery {
  readonly #table: Table;
  readonly #row: StoredRow;
  readonly #on: readonly Column[];
  readonly #replaced: readonly Column[];

  /** Throws `DBM_INVALID_INPUT` for values or options that cannot be meant. */
  constructor(table: Table, values: unknown, options: Pick<UpsertOptions<Record<string, unknown>>, 'on' | 'update'>) {
    this.#table = table;
    this.#row = table.inserted(values, 'values');
    this.#on = this.#named(options.on ?? [table.id.name], 'on');
    if (this.#on.length === 0) throw invalidInput(table.connectionName, 'on', 'names no column');
    const kept = new Set<Column | undefined>([table.id, table.version, ...this.#on]);
    const replaced = this.#named(options.update ?? Object.keys(this.#row), 'update');
    this.#replaced = replaced.filter((column) => !kept.has(column));
  }

  statement(): Fragment {
    const { builder, name, sql, flavour, version, deletedAt, columns } = this.#table;
    return flavour.upsert({
      builder,
      table: name,
      tableSql: sql,
      values: this.#row,
      on: this.#on,
      replaced: this.#replaced,
      counted: version === undefined ? [] : [version],
      cleared: deletedAt === undefined || this.#replaced.includes(deletedAt) ? [] : [deletedAt],
      returned: columns,
    });
  }

  /** The condition that finds the row afterwards. */
  get found(): Fragment {
    return all(this.#on.map(({ sql, name }) => fragment(`${sql} = ?`, this.#row[name])));
  }

  /** Columns by name, all of which have a value; those of `on` another than NULL, as no row is found by that. */
  #named(names: unknown, path: 'on' | 'update'): Column[] {
    const { connectionName } = this.#table;
    if (!Array.isArray(names)) throw invalidInput(connectionName, path, `takes a list, not ${kindOf(names)}`);
    return names.map((name: unknown, index) => {
      const column = this.#table.column(String(name), `${path}.${index}`);
      const value = this.#row[column.name];
      if (value !== undefined && (value !== null || path === 'update')) return column;
      throw invalidInput(connectionName, `values.${column.name}`, `is needed, as ${path} names it`, column.name);
    });
  }
}
