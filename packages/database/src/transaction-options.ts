import { type BeginOptions, DbManagerError, type IsolationLevel } from '@dbmanager/core';
import { durationMs } from './duration-option.js';

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

/** What there is: any other name is a mistake, which would leave a transaction without what was meant. */
const NAMES: readonly string[] = [
  'isolation',
  'readOnly',
  'deferrable',
  'timeout',
  'signal',
  'retry',
  'propagation',
] satisfies (keyof TransactionOptions)[];

type Invalid = (option: string, message: string) => DbManagerError;

/** Throws `DBM_INVALID_OPTION` for what cannot be meant. */
export function checkOptions(given: TransactionOptions | undefined, connectionName: string): CheckedOptions {
  const invalid: Invalid = (option, message) =>
    new DbManagerError('DBM_INVALID_OPTION', message, { connectionName, option });
  const options = given ?? {};
  checkNames(options, invalid);
  if (options.propagation !== undefined) {
    throw invalid(
      'propagation',
      'transactions are not ambient here; the manager is asked for that with ambientTransactions',
    );
  }
  const { signal, timeout = 0, isolation, readOnly, deferrable } = options;
  if (isolation !== undefined && !ISOLATION_LEVELS.includes(isolation)) {
    throw invalid('isolation', `"${isolation}" is no isolation level; there are: ${ISOLATION_LEVELS.join(', ')}`);
  }
  for (const option of ['readOnly', 'deferrable'] as const) {
    if (typeof (options[option] ?? false) !== 'boolean') throw invalid(option, `${option} must be true or false`);
  }
  // Callers without types give the controller itself.
  if (signal !== undefined && typeof signal?.addEventListener !== 'function') {
    throw invalid('signal', 'signal must be an AbortSignal: of a controller, its `signal`');
  }
  const timeoutMs = durationMs(timeout, connectionName);
  return {
    begin: { isolation, readOnly, deferrable },
    signal,
    timeoutMs: timeoutMs === 0 ? undefined : timeoutMs,
    retry: checkRetry(options.retry, invalid),
  };
}

function checkNames(options: object, invalid: Invalid): void {
  if (typeof options !== 'object') throw invalid('options', `options are an object, not a ${typeof options}`);
  for (const name of Object.keys(options)) {
    if (NAMES.includes(name)) continue;
    throw invalid(name, `a transaction has no option "${name}"; there are: ${NAMES.join(', ')}`);
  }
}

function checkRetry(retry: TransactionOptions['retry'] = 0, invalid: Invalid): CheckedOptions['retry'] {
  const asked = typeof retry === 'object' && retry !== null ? retry : { attempts: retry };
  const { attempts, baseMs = 100, maxMs = 2_000 } = asked;
  if (!Number.isInteger(attempts) || attempts < 0) {
    throw invalid('retry', `retry must be a whole number of further attempts, not ${attempts}`);
  }
  if (!(baseMs >= 0 && maxMs >= 0)) throw invalid('retry', 'delays between attempts are milliseconds, 0 or more');
  return { attempts, baseMs, maxMs };
}
