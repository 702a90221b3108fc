import type { NumberedPlaceholders, SqlLexis } from './sql.js';

/** How the statements of a type of database are written. Known before its driver is loaded. */
export interface SqlDialect {
  /** How parameters are written: `$1`, `@p1` or `?`. */
  readonly placeholders: NumberedPlaceholders | 'question-mark';
  readonly lexis?: SqlLexis;
  /** Other types whose statements it takes too, nearest first: what is written for MySQL serves MariaDB. */
  readonly akin?: readonly string[];
}
