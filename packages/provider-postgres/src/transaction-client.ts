import type { Clock, Lease, TransactionTarget } from '@dbmanager/core';
import { defineLeasedClient, type LeasedClient } from './leased-client.js';
import { type PgClient, untilReady, wireOf } from './pg-driver.js';

type Callback = (error: unknown, result?: unknown) => void;

/** What a cursor of pg-cursor tells of itself. */
interface Cursor {
  readonly text?: unknown;
  readonly state?: unknown;
}

/** A query that drives the connection itself: pg's `Query`, pg-cursor's, pg-query-stream's. */
interface Submittable extends Cursor {
  /** Of pg-query-stream. */
  readonly cursor?: Cursor;
  submit(connection: unknown): unknown;
  handleError(error: unknown, connection?: unknown): void;
}

/**
 * Makes the clients of transactions. Each behaves as a `pg.PoolClient` that somebody else has borrowed: it is `instanceof
 * pg.Client`, takes every form of `query`, and its `release`, `end` and `connect` do nothing. It is dead after the end of
 * the transaction.
 */
export class TransactionClients {
  readonly #clock: Clock;
  #Client: TransactionClientClass | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  create(tx: TransactionTarget<PgClient>): LeasedClient {
    this.#Client ??= defineTransactionClient(tx, this.#clock);
    return new this.#Client(tx);
  }
}

type TransactionClientClass = new (tx: TransactionTarget<PgClient>) => LeasedClient;

function defineTransactionClient(sample: TransactionTarget<PgClient>, clock: Clock): TransactionClientClass {
  const Leased = defineLeasedClient(sample.connection, {
    connectionName: sample.name,
    clock,
    notes: false,
    onRelease() {},
  });

  // The members that are changed here have many overloads in pg's types.
  class TransactionClient extends (Leased as new (lease: Lease<PgClient>) => { release: () => void }) {
    readonly #queries: TransactionQueries;

    constructor(tx: TransactionTarget<PgClient>) {
      const lease = new LeaseOfTransaction(tx);
      super(lease);
      this.#queries = new TransactionQueries(tx);
      const { release } = this;
      this.release = () => {};
      tx.onEnd(() => {
        lease.over = true;
        release();
      });
    }

    query(query: unknown, values?: unknown, callback?: unknown): unknown {
      return this.#queries.run(query, values, callback);
    }

    connect(callback?: Callback): unknown {
      return answer(callback, this);
    }

    end(callback?: Callback): unknown {
      return answer(callback, undefined);
    }
  }
  return TransactionClient as unknown as TransactionClientClass;
}

/** What the client of a transaction takes for its lease: good until the end, and given back by nobody but the transaction. */
class LeaseOfTransaction implements Lease<PgClient> {
  readonly id = 0;
  readonly released = false;
  /** From the end on the connection is given for one purpose: to take the listeners away. */
  over = false;
  readonly #tx: TransactionTarget<PgClient>;
  readonly #client: PgClient;

  constructor(tx: TransactionTarget<PgClient>) {
    this.#tx = tx;
    this.#client = tx.connection;
  }

  get connection(): PgClient {
    return this.over ? this.#client : this.#tx.connection;
  }

  release(): void {}
  discard(): void {}
  note(): void {}
  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Sends queries in their turns. */
class TransactionQueries {
  readonly #tx: TransactionTarget<PgClient>;
  /** To tell a query of its refusal by, which may come after the end. */
  readonly #wire: unknown;

  constructor(tx: TransactionTarget<PgClient>) {
    this.#tx = tx;
    this.#wire = wireOf(tx.connection);
  }

  /** As pg's `client.query`: a text, an object with one, or a query that drives the connection itself. */
  run(query: unknown, values?: unknown, callback?: unknown): unknown {
    if (query === null || query === undefined) throw new TypeError('Client was passed a null or undefined query');
    if (isSubmittable(query)) return this.#submit(query, values, callback);
    const params = Array.isArray(values) ? values : undefined;
    const { callback: own } = query as { readonly callback?: unknown };
    const done = [own, values, callback].find((each) => typeof each === 'function') as Callback | undefined;
    const result =
      typeof query === 'string'
        ? this.#send(query, query, params)
        : // A copy, as it may have to wait for its turn and be changed meanwhile; pg would call the callback, too.
          this.#send((query as { readonly text?: unknown }).text, { ...query, callback: undefined }, params);
    if (done === undefined) return result;
    result.then(
      (value) => process.nextTick(done, null, value),
      (error: unknown) => process.nextTick(done, error),
    );
    return undefined;
  }

  async #send(text: unknown, query: string | object, values: unknown[] | undefined): Promise<unknown> {
    this.#tx.check(String(text));
    return this.#tx.turn(() => this.#tx.connection.query(query as string, values));
  }

  #submit(query: Submittable, values: unknown, callback: unknown): Submittable {
    const send = async () => {
      this.#tx.check(String(query.text ?? query.cursor?.text ?? ''));
      const work = async () => {
        const { connection } = this.#tx;
        (connection.query as (...args: unknown[]) => unknown)(query, values, callback);
        await untilReady(connection);
      };
      await this.#tx.turn(work, { streaming: () => isReading(query) });
    };
    send().catch((error: unknown) => query.handleError(error, this.#wire));
    return query;
  }
}

function isSubmittable(query: unknown): query is Submittable {
  return typeof query === 'object' && query !== null && typeof (query as Submittable).submit === 'function';
}

/** Whether a cursor waits for somebody to read on; other queries end by themselves. */
function isReading({ cursor, state = cursor?.state }: Submittable): boolean {
  return typeof state === 'string' && state !== 'done' && state !== 'error';
}

function answer<T>(callback: Callback | undefined, value: T): Promise<T> | undefined {
  if (callback === undefined) return Promise.resolve(value);
  process.nextTick(callback, undefined, value, () => {});
  return undefined;
}
