import type { BridgeTarget } from './bridge.js';
import type { SqlSession } from './sql.js';

/** How a transaction ended. */
export type TransactionOutcome =
  /** COMMIT was acknowledged. */
  | 'committed'
  /** Rolled back, because its work failed or gave up. */
  | 'rolled_back'
  /** The database refused to commit it, or the connection was lost before COMMIT: nothing of it was applied. */
  | 'failed'
  /** The connection died in COMMIT. */
  | 'unknown';

/**
 * A transaction under way, or a nested one, as a bridge binds its ORM to it. All of it runs on one connection, which several
 * ORMs share: whatever an ORM sends goes through `session`, `native()` or `turn`, so that statements come one after the
 * other and none gets into a nested transaction that is not its own.
 *
 * After the end every member that would reach the database is refused with `DBM_LEASE_RELEASED`, and after the database has
 * rolled back by itself with `DBM_TRANSACTION_ABORTED`.
 */
export interface TransactionTarget<C = unknown> {
  /** Name of the connection, for errors. */
  readonly name: string;
  /** The provider's `type`. */
  readonly type: string;
  /** The named connection that the transaction runs on: its engine, its configuration. */
  readonly source: BridgeTarget<C>;
  /** True from the end on. */
  readonly ended: boolean;
  /** The driver's connection. Use it only inside `turn`, and check what is sent with `check`. */
  readonly connection: C;
  /**
   * Statements and streams in the transaction. Text that would begin, end or leave it is refused (`DBM_UNSUPPORTED`), and so
   * are `begin`, `commit` and `rollback`; savepoints are for use inside a scope; `release` does nothing.
   */
  readonly session: SqlSession;
  /**
   * The driver's own kind of connection, bound to the transaction: each statement takes its turn and is checked, giving it
   * back or ending it does nothing. For postgres it behaves as a `pg.PoolClient`. The same object each time. Throws
   * `DBM_UNSUPPORTED` on an engine that has none.
   */
  native(): unknown;
  /** Throws `DBM_UNSUPPORTED` when the text would begin, end or leave the transaction; comments do not fool it. */
  check(sql: string): void;
  /**
   * Runs `work` when all that was asked before has ended, and nothing else meanwhile. `work` must not take a turn itself.
   * When the transaction is called off while it runs, its statement is stopped on the server. While
   * `streaming` gives true, what is asked for is refused (`DBM_UNSUPPORTED`), as the reader of the stream may wait for it.
   */
  turn<T>(work: () => Promise<T>, options?: { readonly streaming?: () => boolean }): Promise<T>;
  /**
   * Runs synchronous work now, for a driver that cannot wait. Throws `DBM_UNSUPPORTED` when something else is under way: a
   * statement, a stream, a nested transaction.
   */
  now<T>(work: () => T): T;
  /**
   * Opens a nested transaction of the ORM's own, which sends SAVEPOINT, RELEASE and ROLLBACK TO itself: it has the connection
   * to itself from now until `leave()`, and everything else waits.
   */
  enter(): Promise<TransactionScope<C>>;
  /** {@link enter}, `work` inside of it, and `leave` however it ends. */
  scope<T>(work: (inner: TransactionScope<C>) => Promise<T>): Promise<T>;
  /** A savepoint name that no other on this connection has: `<prefix>_<n>`, at most 32 characters. */
  savepointName(prefix: string): string;
  /** Called before COMMIT, or before a nested transaction is kept, in the order given; a rejection rolls back. */
  beforeCommit(hook: () => Promise<void>): void;
  /** Called once at the end; of a nested transaction `committed` means that it was kept. */
  onEnd(hook: (outcome: TransactionOutcome) => void): void;
}

/** A nested transaction of an ORM. Its members work in it; handles of the outer one, called from inside it, do too. */
export interface TransactionScope<C = unknown> extends TransactionTarget<C> {
  /** Runs `work`, with what descends from it, inside. */
  inside<T>(work: () => T): T;
  /**
   * Says that no callback ends it: handles of the outer transaction are then refused at once (`DBM_UNSUPPORTED`) rather than
   * left waiting for what may wait for them. Call what it returns when the end has been asked for: from then on they wait.
   */
  byHand(): () => void;
  /** The savepoint is released or rolled back to: others may go on. Does nothing the second time. */
  leave(): void;
}
