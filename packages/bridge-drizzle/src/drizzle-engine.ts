import type { BeginOptions, BridgeTarget, TransactionTarget } from '@dbmanager/core';
import type { DrizzleBridgeOptions } from './drizzle-options.js';

/** Begins a transaction of Drizzle and sees it through; a nested one where it is called on a transaction. */
export type DrizzleTransact = <T>(work: (tx: DrizzleHandle) => Promise<T>, config?: object) => Promise<T>;

/** A session of Drizzle: the members that are used here, which its types leave out. */
export interface DrizzleSession {
  readonly dialect: unknown;
  readonly schema: unknown;
  readonly logger: unknown;
  readonly cache: unknown;
  transaction: DrizzleTransact;
}

/** A database or transaction of Drizzle, likewise. */
export interface DrizzleHandle {
  readonly session: DrizzleSession;
  transaction: DrizzleTransact;
}

/** What Drizzle needs of one type of connection. */
export interface DrizzleEngine {
  /** Drizzle on the pool; its transactions are given to it by others. */
  open(target: BridgeTarget, options: DrizzleBridgeOptions): DrizzleHandle;
  /** A handle on `tx` with the schema and options of `database`. */
  bind(database: DrizzleHandle, tx: TransactionTarget): DrizzleHandle;
  /** The options that Drizzle's `transaction()` takes on this type, as ours. Throws `DBM_UNSUPPORTED` for one that cannot be kept. */
  beginOptions(config: object, connectionName: string): BeginOptions;
  /** Throws when the handle has been closed. Left out: it cannot be. */
  assertAttached?(database: DrizzleHandle, connectionName: string): void;
  /**
   * The database commits before it changes its schema. A transaction of ours refuses that; Drizzle's migrations, which rely
   * on it, keep Drizzle's own. Left out: it does not.
   */
  readonly commitsSchemaChanges?: boolean;
}
