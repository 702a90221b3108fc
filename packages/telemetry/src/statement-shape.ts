import type { SqlLexis } from '@dbmanager/core';
import { maskLiterals, shorten } from './mask-literals.js';
import type { StatementSubject } from './read-statement.js';
import { appendComment, holdsComment } from './sql-comment.js';
import type { SeriesCounter } from './statement-counters.js';

/** What is known of a text that is sent, or of several that differ in their literals only, worked out once for all the times they are. */
export class StatementShape {
  readonly operation: string;
  /** Empty where there is none. */
  readonly collection: string;
  /** `SELECT users`: OpenTelemetry's `db.query.summary`. */
  readonly summary: string;
  /** Where it is counted. */
  readonly series: SeriesCounter;
  /** As the tracer has made them. */
  attributes: Readonly<Record<string, string | number>> | undefined;
  /** The same with the text as it was sent, for statements that have their values beside it. */
  parameterisedAttributes: Readonly<Record<string, string | number>> | undefined;
  count = 0;
  errors = 0;
  totalMs = 0;
  maxMs = 0;
  readonly #sql: string | undefined;
  readonly #lexis: SqlLexis;
  #masked: string | undefined;
  #holdsComment: boolean | undefined;

  /** @param sql undefined for a command that is no text. */
  constructor(
    { operation, collection }: StatementSubject,
    series: SeriesCounter,
    sql: string | undefined,
    lexis: SqlLexis,
  ) {
    this.operation = operation;
    this.collection = collection ?? '';
    this.summary = collection === undefined ? operation : `${operation} ${collection}`;
    this.series = series;
    this.#sql = sql;
    this.#lexis = lexis;
  }

  /** The text as it was sent, its beginning if it is long; undefined for a command that is no text. */
  get text(): string | undefined {
    return this.#sql === undefined ? undefined : shorten(this.#sql);
  }

  /** The text without literals; the summary for a command that is no text. */
  get masked(): string {
    this.#masked ??= this.#sql === undefined ? this.summary : maskLiterals(this.#sql, this.#lexis);
    return this.#masked;
  }

  /** A text of this shape with a comment at its end; undefined where it has one already, or there is nothing to comment on. */
  commented(sql: string, comment: string): string | undefined {
    if (sql === '' || comment === '') return undefined;
    this.#holdsComment ??= holdsComment(sql, this.#lexis);
    return this.#holdsComment ? undefined : appendComment(sql, comment);
  }

  /** Counts one time that it was sent. */
  account(durationMs: number, failed: boolean): void {
    this.count++;
    this.totalMs += durationMs;
    if (durationMs > this.maxMs) this.maxMs = durationMs;
    if (failed) this.errors++;
  }
}
