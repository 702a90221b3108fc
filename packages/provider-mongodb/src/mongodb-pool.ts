import {
  type AcquireOptions,
  abortedError,
  type Borrow,
  type ConnectionConfig,
  type ConnectionPool,
  DbManagerError,
  Deadline,
  EventHub,
  type Lease,
  type LeaseCounts,
  type PoolCloseOptions,
  type PoolCloseReport,
  type PoolEvents,
  type PoolStats,
  type ProviderContext,
  raceSignal,
} from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { ClientSession } from 'mongodb';
import { clientHandle } from './client-handle.js';
import { Deployment, isAborted } from './deployment.js';
import { connectError } from './errors.js';
import { IdleKeeper } from './idle-keeper.js';
import type { MongodbConnection } from './mongodb-connection.js';
import { closeIdle, type MongoClient } from './mongodb-driver.js';
import { type PooledConnection, PoolMonitor } from './pool-monitor.js';
import { type SessionDesk, SessionLease } from './session-lease.js';
import { SessionRegistry } from './session-registry.js';
import type { SessionKeeper } from './shared-client.js';
import { Suspension } from './suspension.js';
import { TopologyWatch } from './topology-watch.js';

/** How long ending a transaction that was left open may take. */
const CLEAN_LIMIT_MS = 1_000;

/** What a {@link MongodbPool} is made of. */
export interface MongodbPoolSetup {
  readonly config: ConnectionConfig;
  readonly context: ProviderContext;
  /** Makes the client; it asks `keeper` before it begins anything. */
  createClient(keeper: SessionKeeper): PooledClient;
}

/** A client as the pool runs it. */
export interface PooledClient {
  readonly client: MongoClient;
  /** Most connections to one server. */
  readonly maxPerServer: number;
  /** Ended by the pool, and trimmed by it; otherwise it is somebody else's. */
  readonly own: boolean;
  startLease(): ClientSession;
  shutDown(): Promise<void>;
}

/**
 * The pools that a MongoClient keeps, one for each server, as one pool of dbmanager: counted by their CMAP events, found up
 * or down by the driver's monitors (SDAM), never asked for a connection: a lease is a session, and each of its operations gets
 * a connection from the driver.
 */
export class MongodbPool implements ConnectionPool<MongodbConnection> {
  readonly events: EventHub<PoolEvents>;
  readonly #name: string;
  readonly #options: ConnectionConfig['options'];
  readonly #context: ProviderContext;
  readonly #pooled: PooledClient;
  readonly #sessions: SessionRegistry;
  readonly #monitor: PoolMonitor;
  readonly #topology: TopologyWatch;
  readonly #keeper: IdleKeeper;
  readonly #deployment: Deployment;
  readonly #desk: SessionDesk;
  readonly #suspension = new Suspension();
  readonly #closing = new AbortController();
  #leaks = 0;
  #dirtyReleases = 0;
  #down: DbManagerError | undefined;
  #proving: Promise<void> | undefined;
  #closed: Promise<PoolCloseReport> | undefined;

  /** Connects nothing. Throws what the driver says of wrong options. */
  constructor({ config, context, createClient }: MongodbPoolSetup) {
    const { clock, random, logger } = context;
    const { options, name } = config;
    this.#name = name;
    this.#options = options;
    this.#context = context;
    this.events = new EventHub((error) => logger.error({ pool: name, err: error }, 'a listener of the pool threw'));
    this.#sessions = new SessionRegistry({
      clock,
      leakAfterMs: options.leakDetectionMs,
      leaked: (borrow) => this.#leaked(borrow),
      leakReturned: (borrow) => this.events.emit('leakReturned', borrow),
    });
    this.#pooled = createClient({
      admit: () => this.#admit(),
      admitTransaction: () => this.#admitTransaction(),
      started: (session, use, entryPoint) => void this.#sessions.add(session, use, entryPoint),
    });
    const { client, maxPerServer, own } = this.#pooled;
    this.#keeper = new IdleKeeper({
      clock,
      random,
      maxIdle: options.maxIdleConns,
      maxLifetimeMs: options.connMaxLifetimeMs,
      close: ({ address, driverId }) => closeIdle(client, address, driverId),
    });
    this.#monitor = new PoolMonitor({
      client,
      clock,
      maxPerServer,
      events: this.events,
      idle: () => this.#sessions.settled(),
      lastError: () => this.#down,
      ...(own && {
        born: (connection) => this.#keeper.born(connection),
        gone: (connection) => this.#keeper.gone(connection),
        // The driver would find out one by one, each with a timeout of its own.
        lost: (address) => this.#closeIdle(({ address: other }) => other === address),
        cameBack: (connection, pool) => this.#keeper.cameBack(connection, pool),
      }),
    });
    this.#topology = new TopologyWatch(client, clock, {
      available: () => this.#available(),
      unavailable: (error) => this.#unavailable(error),
    });
    this.#deployment = new Deployment({
      connectionName: name,
      client,
      clock,
      connectTimeoutMs: options.connectTimeoutMs,
      topology: this.#topology,
      monitor: this.#monitor,
    });
    this.#desk = {
      name,
      giveBack: ({ session }) => void this.#giveBack(session),
      note: ({ session }, summary) => this.#sessions.note(session, summary),
    };
  }

  /** A handle for one user: a MongoClient whose `close()` only detaches. */
  handle(): MongoClient {
    return clientHandle(this.#pooled.client, this.#name, () => this.#refusal());
  }

  get counts(): LeaseCounts {
    return this.#monitor.counts;
  }

  /** Lends a session; waits only while suspended, since the driver gives connections to operations. */
  async acquire({ signal }: AcquireOptions = {}): Promise<Lease<MongodbConnection>> {
    // A client that is somebody else's refuses nothing by itself.
    this.#refuse();
    if (this.#suspension.active) await this.#waitForResume(signal);
    if (signal?.aborted === true) throw abortedError(signal, this.#name);
    const connection = this.startSession();
    return new SessionLease(this.#sessions.idOf(connection.session), connection, this.#desk);
  }

  /** A session that is under way until it ends. */
  startSession(): MongodbConnection {
    const { client, own } = this.#pooled;
    const session = this.#pooled.startLease();
    if (!own) this.#sessions.add(session, 'lease', this.startSession);
    return { client, session, clock: this.#context.clock };
  }

  /** A transaction holds no connection between its operations, so it cannot wait for itself. */
  holding<T>(work: () => T): T {
    return work();
  }

  stats(): PoolStats {
    const { counters, connecting, saturated, generation, oldestBorrowMs } = this.#monitor;
    return {
      ...this.counts,
      ...counters.snapshot(),
      maxIdle: Math.min(this.#options.maxIdleConns, this.#pooled.maxPerServer),
      connecting,
      suspended: this.#suspension.active,
      saturated,
      down: this.#down !== undefined,
      generation,
      oldestBorrowMs,
      leaks: this.#leaks,
      dirtyReleases: this.#dirtyReleases,
    };
  }

  borrows(): Borrow[] {
    return this.#sessions.borrows();
  }

  /** Closes the idle connections; those in use are the driver's to judge. */
  flush(): void {
    this.#closeIdle(() => true);
  }

  /**
   * Has the driver connect, unless it is, and asks a server that the read preference allows for an answer. The driver
   * replaces its connections by itself; none is closed. Concurrent callers share one attempt.
   */
  async renew({ signal }: { readonly signal?: AbortSignal | undefined }): Promise<void> {
    if (signal?.aborted === true) throw abortedError(signal, this.#name);
    this.#proving ??= this.#prove().finally(() => {
      this.#proving = undefined;
    });
    try {
      await raceSignal(this.#proving, signal);
    } catch (error) {
      throw signal !== undefined && isAborted(signal) ? abortedError(signal, this.#name) : error;
    }
  }

  probe(signal: AbortSignal): Promise<void> {
    return this.#deployment.probe(signal);
  }

  suspend(): void {
    this.#suspension.begin();
  }

  resume(): void {
    this.#suspension.end();
  }

  close(options: PoolCloseOptions = {}): Promise<PoolCloseReport> {
    this.#closed ??= this.#close(options);
    return this.#closed;
  }

  /** One answer of the deployment, within `connect_timeout`. */
  prove(signal: AbortSignal): Promise<void> {
    return this.#deployment.prove(signal);
  }

  // --- within

  async #prove(): Promise<void> {
    this.#refuse();
    try {
      await this.prove(this.#closing.signal);
    } catch (error) {
      this.#refuse();
      throw error;
    }
    this.#down = undefined;
    this.events.emit('up', {});
  }

  /** A monitor has had an answer again; whether we have one is found out by asking, and a failure is the next check's to tell. */
  #available(): void {
    if (this.#down !== undefined) this.renew({}).catch(() => undefined);
  }

  #unavailable(error: Error): void {
    this.#down = connectError(error, this.#name);
    this.events.emit('down', { error: this.#down });
  }

  #refusal(): Error | undefined {
    if (!this.#closing.signal.aborted) return undefined;
    return new DbManagerError('DBM_CLOSED', 'the pool is closed', { connectionName: this.#name });
  }

  #closeIdle(which: (connection: PooledConnection) => boolean): void {
    for (const connection of this.#monitor.idleConnections()) {
      if (which(connection)) closeIdle(this.#pooled.client, connection.address, connection.driverId);
    }
  }

  /** Throws once closing has begun. */
  #refuse(): void {
    const refusal = this.#refusal();
    if (refusal !== undefined) throw refusal;
  }

  #admit(): void {
    this.#refuse();
    if (this.#monitor.pending >= this.#options.maxPending) throw this.#queueFull();
  }

  #admitTransaction(): void {
    if (this.#topology.hasTransactions !== false) return;
    throw new DbManagerError(
      'DBM_UNSUPPORTED',
      'transactions need a replica set or a sharded cluster, and this is a single server without one',
      { connectionName: this.#name },
    );
  }

  #queueFull(): DbManagerError {
    const { maxPending } = this.#options;
    return new DbManagerError('DBM_QUEUE_FULL', `${maxPending} callers wait for a connection already (max_pending)`, {
      connectionName: this.#name,
      option: 'max_pending',
    });
  }

  async #waitForResume(signal: AbortSignal | undefined): Promise<void> {
    if (this.#suspension.waiting >= this.#options.maxPending) throw this.#queueFull();
    const { signal: closing } = this.#closing;
    try {
      await this.#suspension.over(signal === undefined ? closing : AbortSignal.any([signal, closing]));
    } catch {
      this.#refuse();
      throw abortedError(signal as AbortSignal, this.#name);
    }
  }

  async #giveBack(session: ClientSession): Promise<void> {
    const dirty = session.inTransaction();
    let cleaned = true;
    if (dirty) {
      this.#dirtyReleases++;
      using deadline = new Deadline(this.#context.clock, CLEAN_LIMIT_MS);
      cleaned = await deadline.race(session.abortTransaction()).then(
        () => true,
        () => false,
      );
      this.events.emit('dirtyRelease', { connectionId: 0, cleaned });
    }
    await session.endSession();
  }

  #leaked(borrow: Borrow): void {
    this.#leaks++;
    const { logger } = this.#context;
    logger.warn({ pool: this.#name, ...borrow }, 'a session has been at work for longer than leak_detection');
    this.events.emit('leak', borrow);
  }

  async #close({ drainTimeoutMs = this.#options.drainTimeoutMs, signal }: PoolCloseOptions): Promise<PoolCloseReport> {
    this.#closing.abort();
    await this.#drain(drainTimeoutMs, signal);
    const held = this.borrows();
    this.#sessions.stop();
    this.#keeper.stop();
    this.#monitor.ending('leak');
    await this.#pooled.shutDown().catch((error: unknown) => {
      this.#context.logger.warn({ pool: this.#name, err: error }, 'closing the MongoClient failed');
    });
    this.#topology.stop();
    this.#monitor.stop();
    return { drained: held.length === 0, held };
  }

  /** Resolves when nothing is under way, at the limit or on the signal, whatever comes first. */
  async #drain(limitMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (limitMs <= 0) return;
    using deadline = new Deadline(this.#context.clock, limitMs, signal);
    await deadline.race(this.#sessions.idle()).catch(() => undefined);
  }
}
