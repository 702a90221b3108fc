import { DbManagerError } from '@dbmanager/core';
import { type ColumnKind, KINDS } from './column-kind.js';
import { invalidInput, kindOf, shownName } from './invalid-input.js';

/**
 * Names that can be quoted on every engine without a doubt: Knex would read dots and ` as ` in them as more than a name.
 */
const NAME = /^[\p{L}_][\p{L}\p{N}_$#@-]{0,127}$/u;

/** Of filters, where they stand beside the columns. */
const RESERVED: readonly string[] = ['and', 'or', 'not'];

/** A declared column: the only names that get into statements. */
export class Column {
  readonly name: string;
  /** The name, quoted for the engine. */
  readonly sql: string;
  readonly kind: ColumnKind;
  /** True when it may be NULL. */
  readonly nullable: boolean;
  readonly #connectionName: string;

  /** Throws `DBM_INVALID_OPTION` for a name that is none, or a declaration that there is not. */
  constructor(name: string, declaration: unknown, quote: (name: string) => string, connectionName: string) {
    assertName(name, 'columns', connectionName);
    if (RESERVED.includes(name))
      throw invalidOption(`a column cannot be called ${name}: filters use it`, connectionName);
    const kind = typeof declaration === 'string' ? declaration.replace(/\?$/, '') : '';
    if (!isKind(kind)) {
      const kinds = Object.keys(KINDS).join(', ');
      throw invalidOption(`${shownName(name)} is of no known kind; there are: ${kinds}`, connectionName);
    }
    this.name = name;
    this.sql = quote(name);
    this.kind = kind;
    this.nullable = declaration !== kind;
    this.#connectionName = connectionName;
  }

  /**
   * The value as it is stored. Throws `DBM_INVALID_INPUT` when it is not of the column's kind.
   *
   * @param path where it was given
   */
  stored(value: unknown, path: string): unknown {
    if (value === null) {
      if (this.nullable) return null;
      throw this.#wrong(path, 'null', ', and cannot be NULL');
    }
    if (!KINDS[this.kind].accepts(value)) throw this.#wrong(path, kindOf(value));
    return this.kind === 'json' ? JSON.stringify(value) : value;
  }

  /** The value as it is compared with; never null. Throws `DBM_INVALID_INPUT` as {@link stored} does. */
  compared(value: unknown, path: string): unknown {
    this.assertComparable(path);
    if (value === null || !KINDS[this.kind].accepts(value)) throw this.#wrong(path, kindOf(value));
    return value;
  }

  /** Throws `DBM_INVALID_INPUT` when rows cannot be compared, or ordered, by it. */
  assertComparable(path: string): void {
    if (KINDS[this.kind].compares) return;
    const reason = `a column of kind ${this.kind} can only be asked whether it is NULL`;
    throw invalidInput(this.#connectionName, path, reason, this.name);
  }

  #wrong(path: string, given: string, more = ''): DbManagerError {
    const reason = `takes ${KINDS[this.kind].takes}, not ${given}${more}`;
    return invalidInput(this.#connectionName, path, reason, this.name);
  }
}

/** Throws `DBM_INVALID_OPTION` for what is no plain name. */
export function assertName(name: unknown, option: string, connectionName: string): asserts name is string {
  if (typeof name === 'string' && NAME.test(name)) return;
  const reason = 'is no name: letters, digits, "_", "$", "#", "@" and "-", with a letter or "_" first';
  throw invalidOption(`${shownName(String(name))} ${reason}`, connectionName, option);
}

function invalidOption(message: string, connectionName: string, option = 'columns'): DbManagerError {
  return new DbManagerError('DBM_INVALID_OPTION', message, { connectionName, option });
}

function isKind(kind: string): kind is ColumnKind {
  return Object.hasOwn(KINDS, kind);
}
