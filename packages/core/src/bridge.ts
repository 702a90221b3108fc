import type { Engine, LeaseSource } from './provider.js';
import type { TransactionRecorder } from './transaction-stats.js';
import type { TransactionTarget } from './transaction-target.js';

/** What a bridge builds on: a named connection and its engine. */
export interface BridgeTarget<C = unknown> extends LeaseSource<C> {
  /** The provider's `type`. */
  readonly type: string;
  /** The engine; capabilities tell what it can do. Available once the connection has been opened, lazily or not. */
  readonly engine: Engine<C>;
  /** Fires when the manager closes, before pools drain: forget cached handles. */
  readonly closing: AbortSignal;
  /** Counts the transactions of this connection. Left out: they are not counted. */
  readonly transactions?: TransactionRecorder;
  /**
   * Resolves when those who keep results of this database know of every write that has ended, or cannot be reached: asked
   * before a write is reported as done. Never rejects. Undefined when they know already; left out, nobody keeps any.
   */
  writesTold?(): Promise<void> | undefined;
  /** What a bridge has built on this connection under that key; undefined when it has not, or left out. */
  opened?(bridgeName: string, key: string): OpenedHandle | undefined;
}

/** A handle that a bridge has built on a connection. */
export interface OpenedHandle<Handle = unknown, Options extends object = object> {
  /** Of a bridge that opens asynchronously: what its promise resolved to, undefined until then. */
  readonly handle: Awaited<Handle> | undefined;
  readonly options: Options | undefined;
}

/**
 * Puts one ORM on the shared pool. Published by a bridge package as a constant; loads the ORM only when opened. The
 * handle it returns is an ORM's own object, whose end, close or destroy only detaches.
 *
 * `Handle` is what `open` gives, a promise where opening is asynchronous; `Bound` is what serves inside a transaction.
 */
export interface Bridge<Handle, Options extends object = object, Bound = Awaited<Handle>> {
  /** As in `default_orm`: `knex`. */
  readonly name: string;
  /** Provider types it can drive. */
  readonly types: readonly string[];
  /** Builds the handle. The manager keeps it: the same connection and options name give the same handle. */
  open(target: BridgeTarget, options?: Options): Handle;
  /**
   * Builds the ORM's handle bound to a transaction: its statements run there, its own transactions become nested ones,
   * what would end or leave the transaction is refused with `DBM_UNSUPPORTED`, closing it does nothing, and it is dead
   * after the end. Kept for the transaction: the same key gives the same handle. `opened` is the connection's own handle
   * of that key, where there is one, with the options it was opened with; `options` are those of this call and go
   * before. Left out: the ORM cannot take part in a transaction of others.
   */
  bind?(tx: TransactionTarget, options?: Options, opened?: OpenedHandle<Handle, Options>): Bound;
}
