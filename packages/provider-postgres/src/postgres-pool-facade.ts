import { EventEmitter } from 'node:events';
import type { Clock, Lease, LeaseSource } from '@dbmanager/core';
import { watchClient } from './client-watch.js';
import { defineLeasedClient, type LeasedClient, type LeasedClientClass } from './leased-client.js';
import { isReady, type PgClient, type PgDriver, whenReady } from './pg-driver.js';
import { summariseQuery } from './statement-summary.js';

/** What `pool.options` shows; the password is not among it. */
export interface PoolFacadeOptions {
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  readonly database?: string;
}

/** What a {@link PostgresPoolFacade} is made of. */
export interface PoolFacadeSetup {
  readonly driver: PgDriver;
  readonly source: LeaseSource<PgClient>;
  readonly clock: Clock;
  /** For `pool.options`. */
  readonly shown: PoolFacadeOptions;
}

type Callback = (error: unknown, result?: unknown, done?: (error?: unknown) => void) => void;

/** What pg calls a Submittable: a query that drives the connection itself, such as pg-cursor's and pg-query-stream's. */
interface Submittable {
  submit(connection: unknown): unknown;
  handleError(error: unknown, connection?: unknown): void;
  callback?: unknown;
}

/**
 * `pg.Pool`'s API over the shared pool, for code and libraries that take a `pg.Pool`. It differs where pg-pool does harm:
 * `end()` only detaches this facade, and at once; a second `release()` of a client does nothing; a client with an open
 * transaction is rolled back before somebody else gets it; a failed query costs the connection only if the connection
 * failed; an idle connection that dies ends no process for want of an `error` listener. Errors are the driver's own,
 * except those of waiting for a connection, which are `DbManagerError`s. `query_timeout` is enforced by the server alone.
 *
 * There is no `Client` property: Kysely would open connections of its own with it.
 */
export class PostgresPoolFacade extends EventEmitter {
  readonly options: object;
  /** True from `end()` on. */
  ending = false;
  /** True from `end()` on: nothing is waited for. */
  ended = false;
  readonly #driver: PgDriver;
  readonly #source: LeaseSource<PgClient>;
  readonly #clock: Clock;
  readonly #notes: boolean;
  /** Connections this facade has seen, each with what ends the listening to it. */
  readonly #seen = new Map<PgClient, () => void>();
  /** Those it has lent out: their errors are their borrower's affair. */
  readonly #lent = new Set<PgClient>();
  #leasedClient: LeasedClientClass | undefined;

  constructor({ driver, source, clock, shown }: PoolFacadeSetup) {
    super();
    this.#driver = driver;
    this.#source = source;
    this.#clock = clock;
    const { maxOpenConns, connMaxIdleTimeMs, acquireTimeoutMs, connMaxLifetimeMs, leakDetectionMs } =
      source.config.options;
    this.#notes = leakDetectionMs > 0;
    this.options = {
      ...shown,
      max: maxOpenConns,
      min: 0,
      maxUses: Number.POSITIVE_INFINITY,
      allowExitOnIdle: false,
      maxLifetimeSeconds: connMaxLifetimeMs / 1000,
      idleTimeoutMillis: connMaxIdleTimeMs,
      connectionTimeoutMillis: acquireTimeoutMs,
    };
  }

  /** Connections of the shared pool, whoever uses them. */
  get totalCount(): number {
    return this.#source.counts.open;
  }

  get idleCount(): number {
    return this.#source.counts.idle;
  }

  /** Callers of the shared pool that wait. */
  get waitingCount(): number {
    return this.#source.counts.pending;
  }

  /** Always 0: the shared pool closes what is too old when it comes back. */
  get expiredCount(): number {
    return 0;
  }

  /** Borrows a client; the borrower calls its `release()`. */
  connect(): Promise<LeasedClient>;
  connect(callback: Callback): void;
  connect(callback?: Callback): Promise<LeasedClient> | undefined {
    const checkout = this.#checkOut();
    if (callback === undefined) return checkout;
    checkout.then(
      (client) => process.nextTick(callback, undefined, client, client.release),
      (error) => process.nextTick(callback, error, undefined, () => {}),
    );
    return undefined;
  }

  /**
   * Runs one query on whichever connection is free: every form of pg's `query`. A cursor or stream is returned at once
   * and holds its connection until it has ended.
   */
  query(text: unknown, values?: unknown, callback?: Callback): unknown {
    if (typeof text === 'function') return this.#refuseFunction(text as Callback);
    const done = typeof values === 'function' ? (values as Callback) : callback;
    const params = typeof values === 'function' ? undefined : values;
    if (this.#isSelfDriven(text)) {
      void this.#submit(text, done);
      return text;
    }
    const outcome = this.#run(text, params);
    if (done === undefined) return outcome;
    outcome.then(
      (result) => process.nextTick(done, undefined, result),
      (error) => process.nextTick(done, error),
    );
    return undefined;
  }

  /** Detaches this facade; the shared pool and everybody else on it go on. Clients lent out stay good until released. */
  end(): Promise<void>;
  end(callback: (error?: unknown) => void): void;
  end(callback?: (error?: unknown) => void): Promise<void> | undefined {
    const error = this.ending ? new Error('Called end on pool more than once') : undefined;
    this.ending = true;
    this.ended = true;
    for (const forget of this.#seen.values()) forget();
    this.#seen.clear();
    if (callback === undefined) return error === undefined ? Promise.resolve() : Promise.reject(error);
    process.nextTick(callback, error);
    return undefined;
  }

  async #run(text: unknown, values: unknown): Promise<unknown> {
    const lease = this.#tryAcquire() ?? (await this.#acquire());
    const client = lease.connection;
    if (this.#notes) lease.note(summariseQuery(text));
    this.#arrived(client, lease);
    try {
      return await new Promise((resolve, reject) => {
        // One of pg's overloads: it looks at the arguments itself.
        (client.query as (...args: unknown[]) => unknown)(text, values, (error: unknown, result: unknown) => {
          if (error) return whenReady(client, this.#clock, () => reject(error));
          resolve(result);
          this.#return(lease, client);
        });
      });
    } catch (error) {
      this.#return(lease, client, error);
      // As pg does: a stack that leads to the caller rather than to the socket.
      if (error instanceof Error) Error.captureStackTrace(error);
      throw error;
    }
  }

  async #submit(query: Submittable, callback: Callback | undefined): Promise<void> {
    let lease: Lease<PgClient>;
    try {
      lease = await this.#acquire();
    } catch (error) {
      query.handleError(error);
      return;
    }
    const client = lease.connection;
    this.#arrived(client, lease);
    const done = (error?: Error) => {
      client.removeListener('drain', done);
      client.removeListener('error', done);
      client.removeListener('end', done);
      this.#return(lease, client, error);
    };
    (client.query as (...args: unknown[]) => unknown)(query, callback);
    client.on('drain', done);
    client.on('error', done);
    client.on('end', done);
  }

  async #checkOut(): Promise<LeasedClient> {
    const lease = this.#tryAcquire() ?? (await this.#acquire());
    const client = this.#lend(lease);
    this.#arrived(lease.connection, lease, client);
    return client;
  }

  #acquire(): Promise<Lease<PgClient>> {
    if (this.ending) return Promise.reject(new Error('Cannot use a pool after calling end on the pool'));
    return this.#source.acquire();
  }

  /** Saves the promise where a connection is idle. */
  #tryAcquire(): Lease<PgClient> | undefined {
    return this.ending ? undefined : this.#source.tryAcquire?.();
  }

  #lend(lease: Lease<PgClient>): LeasedClient {
    this.#leasedClient ??= defineLeasedClient(lease.connection, {
      connectionName: this.#source.name,
      clock: this.#clock,
      notes: this.#notes,
      onRelease: (error, client, connection) => {
        if (connection !== undefined) this.#lent.delete(connection);
        this.emit('release', error, client);
      },
    });
    return new this.#leasedClient(lease);
  }

  #return(lease: Lease<PgClient>, connection: PgClient, error?: unknown): void {
    this.#lent.delete(connection);
    if (this.listenerCount('release') > 0) this.emit('release', error, this.#lend(lease));
    lease.release(error);
  }

  /** Tells of a checkout, and of a connection that is new to this facade. */
  #arrived(connection: PgClient, lease: Lease<PgClient>, client?: LeasedClient): void {
    // A detached one goes on to serve whoever was waiting already.
    if (!this.#seen.has(connection) && !this.ending) {
      this.#watch(connection);
      if (this.listenerCount('connect') > 0) this.emit('connect', client ?? this.#lend(lease));
    }
    this.#lent.add(connection);
    if (this.listenerCount('acquire') > 0) this.emit('acquire', client ?? this.#lend(lease));
  }

  #watch(connection: PgClient): void {
    const forget = watchClient(connection, {
      onError: (error) => {
        // A query under way is somebody else's. Without a listener the event would be thrown, and end the process.
        const idle = !this.#lent.has(connection) && isReady(connection);
        if (idle && this.listenerCount('error') > 0) this.emit('error', error, connection);
      },
      onEnd: () => {
        this.#seen.delete(connection);
        this.#lent.delete(connection);
        this.emit('remove', connection);
      },
    });
    this.#seen.set(connection, forget);
  }

  /** pg's own queries take our callback; others, and those that have one, end by themselves. */
  #isSelfDriven(query: unknown): query is Submittable {
    if (typeof query !== 'object' || query === null || typeof (query as Submittable).submit !== 'function')
      return false;
    return !(query instanceof this.#driver.Query) || (query as Submittable).callback !== undefined;
  }

  #refuseFunction(callback: Callback): undefined {
    setImmediate(() => callback(new Error('Passing a function as the first parameter to pool.query is not supported')));
    return undefined;
  }
}
