import type { Readable, Transform } from 'node:stream';
import { DbManagerError, type TransactionScope, type TransactionTarget } from '@dbmanager/core';
import type { KnexClient, KnexClientClass, KnexConnection, KnexContainer, KnexQuery } from './knex-client.js';
import { remembered, restored } from './own-message.js';
import { closing } from './stream-closing.js';

/** What Knex takes for its connection in a transaction of ours, made for that level of it. */
export type BoundConnection = (tx: TransactionTarget) => KnexConnection;

/** What the client of a transaction of ours is made of. */
export interface BoundClientSetup {
  readonly Dialect: KnexClientClass;
  readonly tx: TransactionTarget;
  readonly connection: BoundConnection;
  /** Calls `listener` when that connection dies; returns the function that ends that. Left out: it does not die. */
  readonly onLost?: (connection: object, listener: () => void) => () => void;
}

/** The members of Knex's `Transaction` that are made to fit a transaction which somebody else has begun. */
interface KnexTransaction {
  txid: string;
  _evaluateContainer(config: object, container: KnexContainer): Promise<unknown>;
}

/** What Knex gives a transaction's callback, as far as it ends the transaction. */
interface KnexTransactor {
  commit(value?: unknown): unknown;
  rollback(error?: unknown): unknown;
}

/** Configuration of a Knex transaction that would leave ours, or change it under way. */
const REFUSED = {
  connection: 'it would run on another connection',
  isolationLevel: 'a nested transaction has the isolation of the outer one',
  readOnly: 'a nested transaction is as read-only as the outer one',
} as const;

const UNDOING = /^rollback to\b/i;

/**
 * A dialect of Knex inside a transaction of ours: its statements run there, its transactions are nested ones, alone on the
 * connection while they last. Like {@link pooledClient} it keeps nothing on the instance, as Knex makes further clients
 * from the prototype.
 */
export function boundClient({ Dialect, tx, connection, onLost }: BoundClientSetup): KnexClientClass {
  /** The scopes of nested transactions, by Knex's objects for them. */
  const scopes = new WeakMap<object, TransactionScope>();
  const outermost = connection(tx);
  let detached = false;

  class BoundClient extends Dialect implements KnexClient {
    constructor(config: object) {
      super(config);
      Object.assign(this, { transacting: true });
    }

    override initializePool(): void {
      detached = false;
    }

    override async acquireConnection(): Promise<object> {
      if (!detached) return outermost;
      throw new DbManagerError('DBM_CLOSED', 'this Knex handle of the transaction was destroyed', {
        connectionName: tx.name,
      });
    }

    override async releaseConnection(): Promise<void> {}

    override async destroy(callback?: (error?: unknown) => void): Promise<void> {
      detached = true;
      callback?.();
    }

    override database(): string | undefined {
      return tx.source.engine.identity.namespace;
    }

    override transaction(container: KnexContainer, config: object = {}, outer?: object | null): object {
      for (const [option, reason] of Object.entries(REFUSED)) {
        if (Reflect.get(config, option) === undefined) continue;
        const message = `Knex's option "${option}" cannot be used inside a transaction: ${reason}`;
        throw new DbManagerError('DBM_UNSUPPORTED', message, { connectionName: tx.name, option });
      }
      const watched: KnexContainer = (trx) => {
        const result = container(trx);
        // `await knex.transaction()` has no callback: somebody ends it by hand.
        const byHand = typeof (result as PromiseLike<unknown> | undefined)?.then !== 'function';
        if (byHand) onEnding(trx as KnexTransactor, scopes.get(nested)?.byHand());
        return result;
      };
      const nested = super.transaction(watched, config, outer ?? outermostTransaction(tx)) as KnexTransaction;
      nested.txid = tx.savepointName('knex');
      // Knex calls it in a later microtask: until then it can be replaced.
      const evaluate = nested._evaluateContainer;
      nested._evaluateContainer = (options, wrapped) => {
        const level = (outer && scopes.get(outer)) ?? tx;
        return level.scope((inner) => {
          scopes.set(nested, inner);
          return evaluate.call(nested, { ...options, connection: connection(inner) }, wrapped);
        });
      };
      return nested;
    }

    override _query(on: object, query: KnexQuery): Promise<KnexQuery> {
      return super._query(on, query).catch((error: unknown) => {
        // What should be undone must not be committed with the rest.
        if (UNDOING.test(query.sql)) tx.beforeCommit(() => Promise.reject(error));
        throw remembered(error);
      });
    }

    override query(on: object, query: KnexQuery | string): Promise<KnexQuery> {
      return super.query(on, query).catch((error: unknown) => {
        throw restored(error);
      });
    }

    override _stream(on: object, query: KnexQuery, stream: Transform, options: object | undefined) {
      stream.once('pipe', (source: Readable) => {
        const lost = (listener: () => void) => onLost?.(on, listener) ?? (() => {});
        void closing(source, stream, { failed() {}, onLost: lost });
      });
      return super._stream(on, query, stream, options);
    }

    override async cancelQuery(): Promise<void> {
      throw new DbManagerError('DBM_UNSUPPORTED', 'a statement of a transaction cannot be cancelled alone', {
        connectionName: tx.name,
      });
    }
  }
  Object.defineProperty(BoundClient, 'name', { value: Dialect.name });
  return BoundClient;
}

/**
 * Stands for the transaction that we have begun: Knex takes a transaction without an outer one for one that ends with
 * COMMIT.
 */
function outermostTransaction(tx: TransactionTarget): object {
  return { isCompleted: () => tx.ended, _lastChild: Promise.resolve() };
}

/** Calls `ending` as soon as the transaction is asked to end: that it has ended shows only later. */
function onEnding(trx: KnexTransactor, ending: (() => void) | undefined): void {
  for (const end of ['commit', 'rollback'] as const) {
    const original = trx[end];
    trx[end] = (value) => {
      ending?.();
      return original(value);
    };
  }
}
