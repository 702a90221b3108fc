import { isDeepStrictEqual } from 'node:util';
import {
  DbManagerError,
  ERROR_CODES,
  type ErrorCode,
  isMapping,
  type Row,
  type Statement,
  type StatementResult,
  suggestion,
} from '@dbmanager/core';
import { count, invalid, isError, isRegExp, milliseconds } from './checks.js';

/** A statement that a test expects, and how it is answered: without rows, unless said. */
export class MockExpectation {
  readonly #pattern: string | RegExp;
  #params: readonly unknown[] | undefined;
  #rows: readonly Row[] = [];
  /** Undefined: as many as there are rows. */
  #rowsAffected: number | undefined;
  #lastInsertId: number | bigint | undefined;
  #error: ErrorCode | Error | undefined;
  #delayMs = 0;
  #times = 1;
  #met = 0;

  /** @param pattern the whole text, white space aside, or what is to be found in it. */
  constructor(pattern: string | RegExp) {
    if (typeof pattern !== 'string' && !isRegExp(pattern)) {
      throw invalid('pattern', 'a statement is expected by its text, or by a regular expression');
    }
    this.#pattern = typeof pattern === 'string' ? plainText(pattern) : pattern;
  }

  /** Only with these values, in the order of the statement's placeholders. */
  with(...params: readonly unknown[]): this {
    this.#params = params;
    return this;
  }

  /** Answers with rows. */
  rows(rows: readonly Row[]): this {
    if (!Array.isArray(rows) || !rows.every(isMapping)) {
      throw invalid('rows', 'rows must be an array of objects, one for each row: [{ id: 1 }]');
    }
    this.#rows = rows;
    return this;
  }

  /** Answers as a write that has changed so many rows. */
  affects(rowsAffected: number, lastInsertId?: number | bigint): this {
    count(rowsAffected, 0, 'rowsAffected');
    if (lastInsertId !== undefined && typeof lastInsertId !== 'number' && typeof lastInsertId !== 'bigint') {
      throw invalid('lastInsertId', 'lastInsertId must be a number');
    }
    this.#rowsAffected = rowsAffected;
    this.#lastInsertId = lastInsertId;
    return this;
  }

  /** Fails with an error of that code, or with that error. */
  fails(error: ErrorCode | Error): this {
    if (!isError(error) && !Object.hasOwn(ERROR_CODES, error)) {
      const near = typeof error === 'string' ? suggestion(error, Object.keys(ERROR_CODES)) : '';
      throw invalid('error', `a statement fails with an Error, or with a code of dbmanager${near}`);
    }
    this.#error = error;
    return this;
  }

  /** Answers, or fails, after so many milliseconds; `query_timeout` and signals end the wait. */
  delays(ms: number): this {
    this.#delayMs = milliseconds(ms, 'delays');
    return this;
  }

  /** Expected so often. Default: once. */
  times(times: number): this {
    this.#times = count(times, 1, 'times');
    return this;
  }

  /** Answers as often as it is asked, which may be never. */
  always(): this {
    this.#times = Number.POSITIVE_INFINITY;
    return this;
  }

  /** True while it expects a statement. */
  get open(): boolean {
    return this.#met < this.#times;
  }

  /** True while a test is not done without it. */
  get missing(): boolean {
    return this.open && this.#times !== Number.POSITIVE_INFINITY;
  }

  get delayMs(): number {
    return this.#delayMs;
  }

  /** True when the statement is one that it expects. */
  matches({ sql, params = [] }: Statement): boolean {
    const text = plainText(sql);
    const found = typeof this.#pattern === 'string' ? text === this.#pattern : text.search(this.#pattern) >= 0;
    return found && (this.#params === undefined || isDeepStrictEqual([...params], [...this.#params]));
  }

  /** Counts a statement as the one it expected. */
  meet(): void {
    this.#met++;
  }

  /** Its answer. Throws what it fails with. */
  answer(connectionName: string): StatementResult {
    const error = this.#error;
    if (error === undefined) return this.#result();
    if (typeof error !== 'string') throw error;
    throw new DbManagerError(error, 'as the mock was told', { connectionName });
  }

  /** Of rows that are the caller's own, as those of a database are. */
  #result(): StatementResult {
    const rows = this.#rows.map((row) => ({ ...row }));
    return { rows, rowsAffected: this.#rowsAffected ?? rows.length, lastInsertId: this.#lastInsertId };
  }

  /** For messages. */
  toString(): string {
    const what = typeof this.#pattern === 'string' ? JSON.stringify(this.#pattern) : String(this.#pattern);
    const values = this.#params === undefined ? '' : ` with ${this.#params.length} values of its own`;
    const often = this.#times > 1 ? `, ${this.#met} of ${this.#times} times` : '';
    return `${what}${values}${often}`;
  }
}

/** A text with one space wherever it has white space. */
export function plainText(sql: string): string {
  return sql.trim().replace(/\s+/g, ' ');
}
