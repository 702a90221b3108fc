import type { Clock, Lease, TransactionTarget } from '@dbmanager/core';
import { defineLeasedClient, type LeasedClient, type LeasedClientClass } from './leased-client.js';
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
  #Leased: LeasedClientClass | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  create(tx: TransactionTarget<PgClient>): LeasedClient {
    const lease = new LeaseOfTransaction(tx);
    this.#Leased ??= defineLeasedClient(tx.connection, {
      connectionName: tx.name,
      clock: this.#clock,
      notes: false,
      onRelease() {},
    });
    const client = new this.#Leased(lease);
    const { release } = client;
    const queries = new TransactionQueries(tx);
    const members = {
      query: queries.run.bind(queries),
      release() {},
      connect: (callback?: Callback) => answer(callback, client),
      end: (callback?: Callback) => answer(callback, undefined),
    };
    for (const [name, value] of Object.entries(members)) Object.defineProperty(client, name, { value });
    tx.onEnd(() => {
      lease.over = true;
      release();
    });
    return client;
  }
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
    const config = typeof query === 'string' ? { text: query } : { ...query };
    const { callback: own, ...rest } = config as { readonly callback?: unknown; readonly text?: unknown };
    const done = [own, values, callback].find((each) => typeof each === 'function') as Callback | undefined;
    const result = this.#send(rest, Array.isArray(values) ? values : undefined);
    if (done === undefined) return result;
    result.then(
      (value) => process.nextTick(done, null, value),
      (error: unknown) => process.nextTick(done, error),
    );
    return undefined;
  }

  async #send(config: { readonly text?: unknown }, values: unknown[] | undefined): Promise<unknown> {
    this.#tx.check(String(config.text));
    return this.#tx.turn(() => this.#tx.connection.query(config as { text: string }, values));
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
