import type { SqlType } from '../sql-type.js';
import type { SqlValue } from '../sql-value.js';
import { convert } from './conversion.js';

interface Variable {
  readonly type: SqlType;
  value: SqlValue;
}

/** The variables of a batch, or of a procedure, with its parameters. Names are in small letters, with their `@`. */
export class Variables {
  readonly #scalars = new Map<string, Variable>();
  readonly #tables = new Set<string>();

  declare(name: string, type: SqlType, value: SqlValue = null): void {
    this.#scalars.set(name.toLowerCase(), { type, value });
  }

  declareTable(name: string): void {
    this.#tables.add(name.toLowerCase());
  }

  /** Sets it to a value, as one of its type; false when there is no such variable. */
  assign(name: string, value: SqlValue): boolean {
    const variable = this.#scalars.get(name.toLowerCase());
    if (variable === undefined) return false;
    variable.value = convert(value, variable.type);
    return true;
  }

  value(name: string): SqlValue {
    return this.#scalars.get(name.toLowerCase())?.value ?? null;
  }

  type(name: string): SqlType | undefined {
    return this.#scalars.get(name.toLowerCase())?.type;
  }

  hasTable(name: string): boolean {
    return this.#tables.has(name.toLowerCase());
  }

  get tableNames(): Iterable<string> {
    return this.#tables;
  }

  /** As SQLite takes named parameters: without the `@`. */
  get bindings(): Record<string, SqlValue> {
    return Object.fromEntries([...this.#scalars].map(([name, { value }]) => [name.slice(1), value]));
  }
}
