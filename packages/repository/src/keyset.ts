import type { Column } from './column.js';
import { type Fragment, fragment, NEVER } from './fragment.js';
import { invalidInput, kindOf, shownName } from './invalid-input.js';
import type { Table } from './table.js';

/** One column of an order. */
export interface OrderTerm {
  readonly column: Column;
  readonly descending: boolean;
}

/** A total order of the rows of a table, in which each row has one place: the key comes last. NULL is less than any value. */
export class Keyset {
  readonly terms: readonly OrderTerm[];
  /** What tells a cursor of this order from one of another. */
  readonly signature: string;
  readonly #table: Table;

  /** Throws `DBM_INVALID_INPUT` for a column or a direction that there is not. */
  constructor(table: Table, order: unknown = {}) {
    this.#table = table;
    this.terms = termsOf(table, order);
    this.signature = this.terms.map(({ column, descending }) => `${descending ? '-' : ''}${column.name}`).join();
  }

  /** The text behind ORDER BY. */
  orderBy(backwards: boolean): string {
    const { nullsAreGreatest } = this.#table.flavour;
    return this.terms
      .map(({ column, descending }) => {
        const down = descending !== backwards;
        const nulls = nullsAreGreatest && column.nullable ? ` nulls ${down ? 'last' : 'first'}` : '';
        return `${column.sql} ${down ? 'desc' : 'asc'}${nulls}`;
      })
      .join(', ');
  }

  /** The rows behind the one with these values in the order of the terms, or ahead of it. */
  beyond(values: readonly unknown[], backwards: boolean): Fragment {
    const [first, ...others] = this.terms;
    const rest = this.#beyond(values, backwards, 0);
    if (first === undefined || others.length === 0 || first.column.nullable) return rest;
    // Says what the rest implies: a range of an index, where engines find none in alternatives.
    const bound = `${first.column.sql} ${first.descending === backwards ? '>=' : '<='} ?`;
    return { sql: `(${bound} and ${rest.sql})`, bindings: [values[0], ...rest.bindings] };
  }

  #beyond(values: readonly unknown[], backwards: boolean, at: number): Fragment {
    const { column, descending } = this.terms[at] as OrderTerm;
    const value = values[at];
    const further = descending === backwards ? above(column, value) : below(column, value);
    if (at === this.terms.length - 1) return further;
    const same = value === null ? fragment(`${column.sql} is null`) : fragment(`${column.sql} = ?`, value);
    const rest = this.#beyond(values, backwards, at + 1);
    return {
      sql: `(${further.sql} or (${same.sql} and ${rest.sql}))`,
      bindings: [...further.bindings, ...same.bindings, ...rest.bindings],
    };
  }
}

function above({ sql }: Column, value: unknown): Fragment {
  return value === null ? fragment(`${sql} is not null`) : fragment(`${sql} > ?`, value);
}

function below({ sql, nullable }: Column, value: unknown): Fragment {
  if (value === null) return NEVER;
  return fragment(nullable ? `(${sql} < ? or ${sql} is null)` : `${sql} < ?`, value);
}

function termsOf(table: Table, order: unknown): OrderTerm[] {
  if (typeof order !== 'object' || order === null || Array.isArray(order)) {
    throw invalidInput(table.connectionName, 'order', `takes an object, not ${kindOf(order)}`);
  }
  const terms = Object.entries(order).map(([name, direction]: [string, unknown]): OrderTerm => {
    const path = `order.${name}`;
    const column = table.column(name, path);
    column.assertComparable(path);
    if (direction !== 'asc' && direction !== 'desc') {
      const given = typeof direction === 'string' ? shownName(direction) : kindOf(direction);
      throw invalidInput(table.connectionName, path, `is asc or desc, not ${given}`, column.name);
    }
    return { column, descending: direction === 'desc' };
  });
  if (terms.some(({ column }) => column === table.id)) return terms;
  // In the direction of the last one, so that an index over the columns has the rows in this order.
  return [...terms, { column: table.id, descending: terms.at(-1)?.descending ?? false }];
}
