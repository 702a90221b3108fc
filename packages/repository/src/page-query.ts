import type { Column } from './column.js';
import { decodeCursor, encodeCursor } from './cursor.js';
import { allOf, type Fragment } from './fragment.js';
import { invalidInput } from './invalid-input.js';
import { Keyset } from './keyset.js';
import type { Page, PageOptions } from './repository-options.js';
import type { StoredRow, Table } from './table.js';

const PAGE_SIZE = 50;

/** What a page is read by, and made of. */
export class PageQuery {
  readonly #table: Table;
  readonly #keyset: Keyset;
  readonly #size: number;
  readonly #backwards: boolean;
  /** Whether the page was asked for from another one. */
  readonly #from: Fragment | undefined;
  /** Columns of the order that are read a second time, as exact text, with what that is called. */
  readonly #exact: ReadonlyMap<Column, string>;

  /** Throws `DBM_INVALID_INPUT` for options that cannot be meant. */
  constructor(table: Table, { order, limit = PAGE_SIZE, after, before }: PageOptions<object>) {
    this.#table = table;
    this.#keyset = new Keyset(table, order);
    this.#size = table.count(limit, 'limit');
    if (this.#size === 0) throw invalidInput(table.connectionName, 'limit', 'a page has at least one row');
    if (after !== undefined && before !== undefined) {
      throw invalidInput(table.connectionName, 'before', 'a page is either behind a cursor or ahead of one');
    }
    this.#backwards = before !== undefined;
    this.#from = this.#backwards ? this.#beyond(before, 'before') : this.#beyond(after, 'after');
    const rounded = this.#keyset.terms.filter(({ column }) => table.flavour.rounded.has(column.kind));
    this.#exact = new Map(rounded.map(({ column }, index) => [column, `exact_${index}_`]));
  }

  /** The statement that reads the rows of the page, and one more where there is one. */
  statement(found: Fragment | undefined): Fragment {
    const { flavour, selects } = this.#table;
    return selects.statement({
      where: allOf([found, this.#from]),
      orderBy: this.#keyset.orderBy(this.#backwards),
      limit: this.#size + 1,
      more: [...this.#exact].map(([{ sql }, name]) => `${flavour.exactText(sql)} as ${name}`),
    });
  }

  /** The page of the rows that the statement gave; they are changed. */
  page<T>(read: readonly StoredRow[]): Page<T> {
    const more = read.length > this.#size;
    const rows = read.slice(0, this.#size);
    if (this.#backwards) rows.reverse();
    const [isLast, isFirst] = this.#backwards ? [false, !more] : [!more, this.#from === undefined];
    // Before the rows are decoded: a cursor has values as the database has them.
    const next = isLast ? undefined : this.#cursor(rows.at(-1));
    const previous = isFirst ? undefined : this.#cursor(rows[0]);
    return { rows: rows.map((row) => this.#decoded<T>(row)), next, previous };
  }

  #beyond(cursor: string | undefined, path: 'after' | 'before'): Fragment | undefined {
    if (cursor === undefined) return undefined;
    return this.#keyset.beyond(decodeCursor(this.#table, this.#keyset, cursor, path), this.#backwards);
  }

  #cursor(row: StoredRow | undefined): string | undefined {
    if (row === undefined) return undefined;
    const values = this.#keyset.terms.map(({ column }) => row[this.#exact.get(column) ?? column.name]);
    return encodeCursor(this.#table, this.#keyset, values);
  }

  #decoded<T>(row: StoredRow): T {
    for (const name of this.#exact.values()) delete row[name];
    return this.#table.decoded<T>(row);
  }
}
