import { DbManagerError, KnownOptions } from '@dbmanager/core';
import { AmbientTransactions, type Transaction } from '@dbmanager/database';
import type { Connection, ConnectionTransaction } from 'dbmanager';
import { assertConnection, assertOneOf, invalid } from './checks.js';

/** The two hooks that are needed of a test runner: Jest, Vitest and node:test have them. */
export interface TestHooks {
  beforeEach(run: () => Promise<void>): void;
  afterEach(run: () => Promise<void>): void;
}

/** Options of {@link transactionPerTest}. */
export interface TransactionPerTestOptions {
  /** Default: the globals `beforeEach` and `afterEach`. */
  readonly hooks?: TestHooks;
  /**
   * `refuse` fails a test during which a connection of the pool was borrowed for something that is not in its transaction, and
   * so may be left behind. Default: `refuse`.
   */
  readonly outside?: 'refuse' | 'allow';
}

const OPTIONS = new KnownOptions<TransactionPerTestOptions>('transactionPerTest', { hooks: true, outside: true });

/** What is open during one test. */
interface Running {
  readonly connection: Connection;
  readonly transactions: AmbientTransactions<Transaction>;
  readonly tx: ConnectionTransaction;
  /** Acquires of the pool before the test. */
  readonly acquired: number;
}

/** The transaction of each test, one after the other. */
export class TestTransaction {
  readonly #connection: () => Connection;
  readonly #outside: 'refuse' | 'allow';
  #running: Running | undefined;

  constructor(connection: () => Connection, outside: 'refuse' | 'allow') {
    this.#connection = connection;
    this.#outside = outside;
  }

  /** The transaction of the test that runs. Throws `DBM_UNSUPPORTED` outside tests. */
  get current(): ConnectionTransaction {
    if (this.#running === undefined) throw unsupported('there is a transaction only inside tests');
    return this.#running.tx;
  }

  /** Begins the transaction of a test; what the hook before it does. */
  async begin(): Promise<void> {
    const connection = this.#connection();
    assertConnection(connection, 'a test runs in a transaction of');
    const transactions = AmbientTransactions.of(connection);
    if (transactions === undefined) {
      throw unsupported('a transaction for each test needs a manager with ambientTransactions: true', connection.name);
    }
    if (transactions.standing !== undefined) {
      throw unsupported(
        'another test runs in a transaction of this connection; tests must run one by one',
        connection.name,
      );
    }
    const tx = await connection.begin();
    transactions.stand(tx);
    this.#running = { connection, transactions, tx, acquired: connection.stats().pool.acquired };
  }

  /** Rolls it back; what the hook after a test does. Rejects with `DBM_UNSUPPORTED` when something went around it. */
  async rollback(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    if (running === undefined) return;
    const { connection, transactions, tx, acquired } = running;
    transactions.stand(undefined);
    await tx.rollback();
    const around = connection.stats().pool.acquired - acquired;
    if (around === 0 || this.#outside === 'allow') return;
    throw unsupported(
      `${around} of this test's uses of the pool went around its transaction, and may have left something behind; ask the ` +
        'connection for handles inside the test, not before it, or set outside: "allow"',
      connection.name,
    );
  }
}

/**
 * Runs every test of the file, or of the block it is called in, in a transaction that is rolled back after it: each finds the
 * database as it was, whatever the ones before have done, by whichever ORM.
 *
 * ```ts
 * const tx = transactionPerTest(() => mgr.get('primary'));
 * it('registers a user', async () => {
 *   await register(mgr, 'Ada'); // uses mgr.get('primary').knex(), .transaction() …
 *   expect(await tx.current.queryOne('select count(*) as n from users')).toEqual({ n: 1 });
 * });
 * ```
 *
 * During a test the connection's handles are the transaction's: what the code under test asks of `knex()`, `typeorm()`,
 * `database()` … then. Where it begins a transaction itself it gets a nested one, with a savepoint, `begin()` and `requires-new` included.
 * Needs a manager with `ambientTransactions`, as `testManager` gives one, and tests that run one by one.
 *
 * Throws `DBM_INVALID_OPTION` for what cannot be meant, `DBM_UNSUPPORTED` where no hooks are given and there are no global ones.
 *
 * @param connection or what gives it, where it is opened in a hook of the tests.
 */
export function transactionPerTest(
  connection: Connection | (() => Connection),
  options: TransactionPerTestOptions = {},
): TestTransaction {
  OPTIONS.check(options, undefined);
  const { hooks = globalHooks(), outside = 'refuse' } = options;
  if (!hasHooks(hooks)) throw invalid('hooks', 'hooks must be the beforeEach and the afterEach of the test runner');
  assertOneOf(outside, ['refuse', 'allow'], 'outside');
  if (typeof connection !== 'function') assertConnection(connection, 'a test runs in a transaction of');
  const transaction = new TestTransaction(typeof connection === 'function' ? connection : () => connection, outside);
  hooks.beforeEach(() => transaction.begin());
  hooks.afterEach(() => transaction.rollback());
  return transaction;
}

function globalHooks(): TestHooks {
  const globals: unknown = globalThis;
  if (hasHooks(globals)) return globals;
  throw unsupported('there are no global beforeEach and afterEach here; pass those of the runner: { hooks }');
}

function hasHooks(hooks: unknown): hooks is TestHooks {
  const { beforeEach, afterEach } = (hooks ?? {}) as Partial<TestHooks>;
  return typeof beforeEach === 'function' && typeof afterEach === 'function';
}

function unsupported(message: string, connectionName?: string): DbManagerError {
  return new DbManagerError('DBM_UNSUPPORTED', message, { connectionName });
}
