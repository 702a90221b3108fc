import type { SqlLexis } from '@dbmanager/core';
import { StatementReading } from './statement-reading.js';

/** Stands for every table: of statements whose tables cannot be told. */
export const EVERY_TABLE = '*';

/** What a text of one or more statements reads and changes. Tables are named without what they are in, in small letters. */
export interface StatementEffects {
  /** Every table that it reads, and perhaps more; undefined where it does more than reading, or what it reads cannot be told. */
  readonly reads: readonly string[] | undefined;
  /** Every table that it changes, and perhaps more; {@link EVERY_TABLE} where these cannot be told. */
  readonly writes: readonly string[];
  /** What its statements do to the transaction of their connection, in their order. */
  readonly controls: readonly TransactionControl[];
}

/** What becomes of the transaction of a connection. `perhaps`: on some engines it is committed by that, on others it goes on. */
export type TransactionControl = 'begin' | 'commit' | 'rollback' | 'perhaps';

/** What a statement is by its first words. */
type Kind = 'read' | 'change' | 'quiet' | 'unknown' | TransactionControl;

const KINDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ...kinds('read', 'SELECT WITH VALUES TABLE'),
  ...kinds('change', 'INSERT REPLACE UPDATE DELETE MERGE TRUNCATE'),
  ...kinds(
    'quiet',
    'SHOW DESCRIBE DESC SET USE SAVEPOINT SAVE DECLARE FETCH CLOSE LISTEN UNLISTEN NOTIFY VACUUM CHECKPOINT KILL PRINT',
  ),
  ...kinds('quiet', 'DISCARD DEALLOCATE PRAGMA RETURN'),
  ...kinds('rollback', 'ABORT'),
  // MySQL commits by all but RELEASE, and SQLite by that of a savepoint that has begun a transaction.
  ...kinds('perhaps', 'LOCK UNLOCK ANALYZE RESET RELEASE'),
]);

const CONTROLS: readonly string[] = ['begin', 'commit', 'rollback', 'perhaps'] satisfies TransactionControl[];

/** These may name what they change among what they read: `DELETE a FROM b AS a`. */
const NAME_MORE = ['UPDATE', 'DELETE', 'TRUNCATE'];

/**
 * What a text does, by its words alone. It errs on one side: a table too many is read or changed rather than one too few, and what
 * is not understood reads nothing that could be kept and changes everything. What it cannot see are views, triggers, cascades
 * and functions that reach tables of their own.
 */
export function readEffects(sql: string, lexis: SqlLexis): StatementEffects {
  const reading = new StatementReading(sql, lexis);
  const kindsOfAll = reading.heads.map((head) => kindOf(head, lexis));
  return {
    reads: isPlainRead(reading, kindsOfAll) ? [...reading.sources] : undefined,
    writes: kindsOfAll.includes('unknown') ? [EVERY_TABLE] : writesOf(reading),
    controls: kindsOfAll.filter(isControl),
  };
}

function isPlainRead(reading: StatementReading, kindsOfAll: readonly Kind[]): boolean {
  const [head] = reading.heads;
  return (
    kindsOfAll.length === 1 &&
    (head?.[0] === 'SELECT' || head?.[0] === 'WITH') &&
    reading.verbs.size === 0 &&
    !reading.into &&
    !reading.locking &&
    !reading.unclear
  );
}

function writesOf({ verbs, into, unclear, targets, sources }: StatementReading): readonly string[] {
  if (verbs.size === 0) return into ? [EVERY_TABLE] : [];
  if (unclear) return [EVERY_TABLE];
  const written = NAME_MORE.some((verb) => verbs.has(verb)) ? [...targets, ...sources] : [...targets];
  return written.length === 0 ? [EVERY_TABLE] : written;
}

function kindOf(head: readonly string[], { semicolons }: SqlLexis): Kind {
  const [first = '', second = '', third = ''] = head;
  switch (first) {
    case 'BEGIN':
      if (second === 'TRAN' || second === 'TRANSACTION' || second === 'DISTRIBUTED') return 'begin';
      // Of SQL Server it is a block, of MariaDB one when it says so.
      return semicolons === 'optional' ? 'quiet' : second === 'NOT' ? 'unknown' : 'begin';
    case 'START':
      return second === 'TRANSACTION' ? 'begin' : 'unknown';
    case 'END':
      return semicolons === 'optional' ? 'quiet' : 'commit';
    case 'COMMIT':
      return second === 'PREPARED' ? 'unknown' : 'commit';
    case 'ROLLBACK':
      return second === 'TO' || third === 'TO' ? 'quiet' : 'rollback';
    case 'SET':
      // MySQL commits what is open when that is switched on.
      return head.includes('AUTOCOMMIT') ? 'perhaps' : 'quiet';
    case 'IF':
    case 'WHILE':
      return semicolons === 'optional' ? 'quiet' : 'unknown';
    case 'EXPLAIN':
      // With ANALYZE it runs the statement.
      return second === 'ANALYZE' || second === '(' ? 'unknown' : 'quiet';
    default:
      return KINDS.get(first) ?? 'unknown';
  }
}

function isControl(kind: Kind): kind is TransactionControl {
  return CONTROLS.includes(kind);
}

function kinds(kind: Kind, words: string): readonly (readonly [string, Kind])[] {
  return words.split(' ').map((word) => [word, kind] as const);
}
