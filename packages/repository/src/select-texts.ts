import type { Fragment } from './fragment.js';
import type { Table } from './table.js';

/** What is read. */
export interface Selection {
  /** Left out: all rows. */
  readonly where?: Fragment | undefined;
  /** The text behind ORDER BY. */
  readonly orderBy?: string | undefined;
  readonly limit?: number | undefined;
  readonly offset?: number | undefined;
  /** Expressions beside the columns, each with its name. */
  readonly more?: readonly string[] | undefined;
}

/** A statement that Knex has written; of its bindings those that are numbers from 1 on are places in the values of a selection. */
type Shape = Fragment;

/** Shapes that are kept. */
const KEPT = 200;

/** SELECTs of one table. Knex writes each shape once: after that only the values are others. */
export class SelectTexts {
  readonly #table: Table;
  readonly #shapes = new Map<string, Shape>();

  constructor(table: Table) {
    this.#table = table;
  }

  /** The statement of a selection. */
  statement(selection: Selection): Fragment {
    const { where, limit, offset } = selection;
    const values = [...(where?.bindings ?? []), limit, offset];
    const { sql, bindings } = this.#shape(selection, values.length);
    return {
      sql,
      bindings: bindings.map((binding) => (isPlace(binding, values.length) ? values[binding - 1] : binding)),
    };
  }

  #shape(selection: Selection, places: number): Shape {
    const { where, orderBy, limit, offset, more } = selection;
    const key = [where?.sql, orderBy, limit !== undefined, offset !== undefined, more].join('\n');
    const known = this.#shapes.get(key);
    if (known !== undefined) return known;
    const shape = this.#written(selection, places);
    if (this.#shapes.size === KEPT) this.#shapes.delete(this.#shapes.keys().next().value as string);
    this.#shapes.set(key, shape);
    return shape;
  }

  /** With places in place of values: where they come to stand is different for each engine. */
  #written({ where, orderBy, limit, offset, more = [] }: Selection, places: number): Shape {
    const { builder, names } = this.#table;
    const marked = where && { ...where, bindings: where.bindings.map((_, index) => index + 1) };
    const query = this.#table.where(marked).select([...names, ...more.map((text) => builder.raw(text))]);
    if (orderBy !== undefined) query.orderByRaw(orderBy);
    if (limit !== undefined) query.limit(places - 1);
    if (offset !== undefined) query.offset(places);
    const { sql, bindings } = query.toSQL();
    return { sql, bindings };
  }
}

/** Knex adds bindings of its own, such as the limit -1 that SQLite needs before an offset. */
function isPlace(binding: unknown, places: number): binding is number {
  return typeof binding === 'number' && binding >= 1 && binding <= places;
}
