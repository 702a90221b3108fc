import type { EngineIdentity } from './provider.js';
import type { SqlLexis } from './sql.js';

/**
 * Is told of every statement that is sent to one database for a user, whichever door it came through. Providers tell it where
 * all doors meet, at the driver's connection; what they send for their own upkeep they keep from it with {@link unobserved}.
 */
export interface StatementObserver {
  /**
   * A statement is being sent. Called in the async context of whoever sends it. The result is told, once, how it ended.
   *
   * @param parameterised its values are sent beside it, not in its text.
   * @param connection stands for the connection that it is sent on, the same object each time, so that a COMMIT can be told
   * from those of other transactions. Left out: not known.
   */
  begin(sql: string, parameterised: boolean, connection?: object): StatementObservation;
  /** The same for a database that is not asked in SQL: `find` on `users`. No values of the command are told. */
  beginCommand(operation: string, collection: string | undefined): StatementObservation;
}

/** A statement that has been sent. The first call of either counts, later ones do nothing. */
export interface StatementObservation {
  /** @param rows how many it gave; undefined for one that gives none. */
  end(rows?: number | undefined): void;
  /** @param status what the server calls the error: an SQLSTATE, or the engine's number; undefined when it said nothing. */
  fail(error: unknown, status?: string | undefined): void;
  /**
   * The text to send in place of the one that was begun: with a comment on who sends it. Undefined, or the method left out: as it
   * is. Not to be asked for where a driver finds what it has prepared by its text, or a server by a name that stands for one.
   */
  commented?(form: CommentForm): string | undefined;
}

/** `traced`: with what differs each time; `stable`: without, for a server that finds its plans by the whole text. */
export type CommentForm = 'traced' | 'stable';

/** What is said of an engine before it is observed. */
export interface ObservedEngine {
  readonly identity: EngineIdentity;
  /** How its statements are read; left out: as standard SQL. */
  readonly lexis?: SqlLexis | undefined;
  /** What comments say besides the trace: sqlcommenter's `db_driver`, `application`. Left out: nothing. */
  readonly tags?: Readonly<Record<string, string | undefined>> | undefined;
}

/** Asked by a provider when it opens an engine. Undefined: nobody wants to know, and nothing is to be done for it. */
export type ObserveStatements = (engine: ObservedEngine) => StatementObserver | undefined;

/** Depth of {@link unobserved}; synchronous, so that one for all is enough. */
let quiet = 0;

/**
 * Runs `work`, whose statements are our own upkeep and no query of a user. It holds while `work` runs synchronously: what it
 * sends after an `await` is observed again.
 */
export function unobserved<T>(work: () => T): T {
  quiet++;
  try {
    return work();
  } finally {
    quiet--;
  }
}

/** True inside {@link unobserved}. */
export function isUnobserved(): boolean {
  return quiet > 0;
}
