import { type BridgeTarget, DbManagerError } from '@dbmanager/core';
import type { KnexConnection } from './knex-client.js';
import { KnexPoolView } from './knex-pool-view.js';
import { settlesWithin } from './settles-within.js';

/** One connection lent to Knex. Every checkout has one of its own, whatever the pool holds underneath. */
export interface Checkout {
  /** What Knex takes for its connection; no two checkouts share one. */
  readonly connection: object;
  /** Gives it back, with the error its connection had, if any. */
  release(error: unknown): void;
  /** Gives it back never to be used again. */
  discard(reason: unknown): void;
  /** Remembers the last statement, for leak reports. Left out: whoever runs it does. */
  note?(sql: string): void;
  /** Asks the server to stop the statement that runs. Left out: it cannot be stopped. */
  cancel?(): Promise<void>;
  /** Calls `listener` when the connection dies; returns the function that ends that. Left out: it does not die. */
  onLost?(listener: () => void): () => void;
}

/** Lends a connection of the target. */
export type CheckOut = (target: BridgeTarget) => Promise<Checkout>;

/** How long a cancelled statement may take to end before its connection is given up. */
const CANCEL_GRACE_MS = 1_000;

/** The error for a statement that cannot be stopped; Knex then gives its connection up. */
export function cannotCancel(connectionName: string): DbManagerError {
  return new DbManagerError('DBM_UNSUPPORTED', 'statements of this connection cannot be cancelled', { connectionName });
}

/** A checkout that Knex has not given back yet. */
export class OpenCheckout {
  readonly #checkout: Checkout;
  readonly #target: BridgeTarget;
  #error: unknown;
  /** Those under way that may have to be cancelled, in the order they were sent. */
  #statements: Set<Promise<unknown>> | undefined;
  /** Settles when no stream reads from the connection any more. */
  #streaming: Promise<unknown> | undefined;

  constructor(checkout: Checkout, target: BridgeTarget) {
    this.#checkout = checkout;
    this.#target = target;
  }

  note(sql: string): void {
    this.#checkout.note?.(sql);
  }

  /** Remembers the first error that says something about the connection itself. */
  failed(error: unknown): void {
    const verdict = this.#target.engine.factory.judge?.(error) ?? 'harmless';
    if (verdict !== 'harmless') this.#error ??= error;
  }

  /** Tells of a statement that may have to be cancelled. */
  running(statement: Promise<unknown>): void {
    this.#statements ??= new Set();
    const statements = this.#statements.add(statement);
    const settled = () => statements.delete(statement);
    statement.then(settled, settled);
  }

  /** Keeps the connection out until `done` resolves, though Knex gives it back before. `done` never rejects. */
  streaming(done: Promise<void>): void {
    this.#streaming = this.#streaming === undefined ? done : Promise.all([this.#streaming, done]);
  }

  /** As {@link Checkout.onLost}. */
  onLost(listener: () => void): () => void {
    return this.#checkout.onLost?.(listener) ?? (() => {});
  }

  /**
   * Stops the statement that runs, and waits until it has ended, so that the connection may be used again. Rejects when
   * it cannot be stopped.
   */
  async cancel(): Promise<void> {
    const { name: connectionName } = this.#target;
    if (this.#checkout.cancel === undefined) throw cannotCancel(connectionName);
    const [running] = this.#statements ?? [];
    await this.#checkout.cancel();
    if (running === undefined || (await settlesWithin(running, CANCEL_GRACE_MS))) return;
    throw new DbManagerError('DBM_QUERY_TIMEOUT', `a cancelled statement had not ended after ${CANCEL_GRACE_MS} ms`, {
      connectionName,
    });
  }

  /** To be called once. */
  release(disposed: unknown): void {
    if (this.#streaming === undefined) this.#giveBack(disposed);
    else void this.#streaming.then(() => this.#giveBack(disposed));
  }

  #giveBack(disposed: unknown): void {
    if (disposed === undefined) this.#checkout.release(this.#error);
    else this.#checkout.discard(disposed);
  }
}

/**
 * What a Knex handle has borrowed from the shared pool. Knex gives some connections back twice (streams): the second
 * time finds nothing, as every checkout is an object of its own.
 */
export class Checkouts {
  /** What stands in for Knex's own pool. */
  readonly pool: KnexPoolView;
  readonly target: BridgeTarget;
  readonly #checkOut: CheckOut;
  readonly #open = new Map<object, OpenCheckout>();
  #attached = true;

  constructor(target: BridgeTarget, checkOut: CheckOut) {
    this.target = target;
    this.pool = new KnexPoolView(target);
    this.#checkOut = checkOut;
  }

  /** Lets the handle borrow again. */
  attach(): void {
    this.#attached = true;
  }

  /** Refuses what comes after; what is lent comes back as usual, and the pool goes on. */
  detach(): void {
    this.#attached = false;
  }

  async acquire(): Promise<object> {
    if (!this.#attached) {
      throw new DbManagerError(
        'DBM_CLOSED',
        'this Knex handle was destroyed; the shared pool still answers, and knex.initialize() attaches the handle again',
        { connectionName: this.target.name },
      );
    }
    const checkout = await this.#checkOut(this.target);
    this.#open.set(checkout.connection, new OpenCheckout(checkout, this.target));
    return checkout.connection;
  }

  /** Undefined for a connection that is not ours, such as one a caller passed to `.connection()`, or was given back. */
  find(connection: object): OpenCheckout | undefined {
    return this.#open.get(connection);
  }

  release(connection: object): void {
    const checkout = this.#open.get(connection);
    if (checkout === undefined) return;
    this.#open.delete(connection);
    checkout.release((connection as KnexConnection).__knex__disposed);
  }
}
