import { type BeginOptions, DbManagerError, type IsolationLevel, KnownOptions } from '@dbmanager/core';
import { durationMs } from './duration-option.js';
import { assertFlag } from './flag-option.js';

/** Providers write the level into the text of BEGIN: nothing else may get there. */
const ISOLATION_LEVELS: readonly IsolationLevel[] = [
  'read uncommitted',
  'read committed',
  'repeatable read',
  'serializable',
  'snapshot',
];

/** How often and how soon a transaction is repeated that lost to another one. */
export interface RetryOptions {
  /** Further attempts after the first. */
  readonly attempts: number;
  /** Longest delay before the second attempt in milliseconds, doubled with each further one. Default: 100. */
  readonly baseMs?: number | undefined;
  /** Longest delay before any attempt, in milliseconds. Default: 2,000. */
  readonly maxMs?: number | undefined;
}

/** How a transaction is begun, how long it may take, and whether it is repeated. */
export interface TransactionOptions extends BeginOptions {
  /** Rolls the transaction back when aborted, with `DBM_ABORTED`. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Limit for all of it, waiting for a connection and further attempts included: milliseconds, or a text as in the
   * configuration (`'5s'`). Then what runs is stopped, and it is rolled back with `DBM_TRANSACTION_TIMEOUT`. 0 or left
   * out: none, and `query_timeout` still holds for each statement.
   */
  readonly timeout?: number | string | undefined;
  /**
   * Runs the whole callback again, in a new transaction, when this one lost to another (serialization failure, deadlock,
   * a busy SQLite file): so often, at random delays that grow. Never after a COMMIT of unknown outcome. Default: 0.
   */
  readonly retry?: number | RetryOptions | undefined;
  /** Only where transactions are ambient. A call that joins has the patience and the repeating of the one it joins. */
  readonly propagation?: Propagation | undefined;
}

/**
 * What a call of `transaction()` does about the transaction that its code already runs in, where transactions are ambient.
 *
 * - `required` joins it, and begins one where there is none. The default.
 * - `requires-new` begins another one, on a connection of its own; the one around it waits.
 */
export type Propagation = 'required' | 'requires-new';

/**
 * - `supports` joins the transaction that there is, and runs without one where there is none.
 * - `never` runs without one, and is refused inside one (`DBM_UNSUPPORTED`).
 */
export type OptionalPropagation = 'supports' | 'never';

/** Options of a call that may run without a transaction. */
export type OptionalTransactionOptions = Omit<TransactionOptions, 'propagation'> & {
  readonly propagation: OptionalPropagation;
};

/** Options with which they can be worked. */
export interface CheckedOptions {
  readonly begin: BeginOptions;
  readonly signal: AbortSignal | undefined;
  /** Undefined is no limit. */
  readonly timeoutMs: number | undefined;
  readonly retry: { readonly attempts: number; readonly baseMs: number; readonly maxMs: number };
}

const RETRY_OPTIONS = new KnownOptions<RetryOptions>('retry', { attempts: true, baseMs: true, maxMs: true });
const TRANSACTION_OPTIONS = new KnownOptions<TransactionOptions>('a transaction', {
  isolation: true,
  readOnly: true,
  deferrable: true,
  timeout: true,
  signal: true,
  retry: true,
  propagation: true,
});

type Invalid = (option: string, message: string) => DbManagerError;

/** What was given when it can be copied without losing sight of what is wrong with it; else throws `DBM_INVALID_OPTION`. */
export function knownOptions<O extends TransactionOptions | OptionalTransactionOptions>(
  given: O | undefined,
  connectionName: string | undefined,
): O | TransactionOptions {
  if (given === undefined) return {};
  TRANSACTION_OPTIONS.check(given, connectionName);
  return given;
}

/** Throws `DBM_INVALID_OPTION` for what cannot be meant. */
export function checkOptions(
  given: TransactionOptions | undefined,
  connectionName: string | undefined,
): CheckedOptions {
  const invalid: Invalid = (option, message) =>
    new DbManagerError('DBM_INVALID_OPTION', message, { connectionName, option });
  const options = knownOptions(given, connectionName);
  if (options.propagation !== undefined) {
    throw invalid('propagation', 'propagation is for transaction() of a manager that has ambientTransactions');
  }
  const { signal, timeout = 0, isolation, readOnly, deferrable } = options;
  if (isolation !== undefined && !ISOLATION_LEVELS.includes(isolation)) {
    throw invalid('isolation', `"${isolation}" is no isolation level; there are: ${ISOLATION_LEVELS.join(', ')}`);
  }
  assertFlag(readOnly, 'readOnly', connectionName);
  assertFlag(deferrable, 'deferrable', connectionName);
  const timeoutMs = durationMs(timeout, connectionName);
  return {
    begin: { isolation, readOnly, deferrable },
    signal,
    timeoutMs: timeoutMs === 0 ? undefined : timeoutMs,
    retry: checkRetry(options.retry, connectionName, invalid),
  };
}

function checkRetry(
  retry: TransactionOptions['retry'] = 0,
  connectionName: string | undefined,
  invalid: Invalid,
): CheckedOptions['retry'] {
  const asked = typeof retry === 'object' && retry !== null ? retry : { attempts: retry };
  RETRY_OPTIONS.check(asked, connectionName);
  const { attempts, baseMs = 100, maxMs = 2_000 } = asked;
  if (!Number.isInteger(attempts) || attempts < 0) {
    throw invalid('retry', `retry must be a whole number of further attempts, not ${attempts}`);
  }
  if (!isDelay(baseMs) || !isDelay(maxMs))
    throw invalid('retry', 'delays between attempts are milliseconds, 0 or more');
  return { attempts, baseMs, maxMs };
}

function isDelay(ms: number): boolean {
  return typeof ms === 'number' && ms >= 0;
}
