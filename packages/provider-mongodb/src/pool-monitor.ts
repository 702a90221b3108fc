import {
  type Clock,
  type CloseReason,
  type EventHub,
  type LeaseCounts,
  PoolCounters,
  type PoolEvents,
} from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type {
  ConnectionCheckedInEvent,
  ConnectionCheckedOutEvent,
  ConnectionCheckOutFailedEvent,
  ConnectionCheckOutStartedEvent,
  ConnectionClosedEvent,
  ConnectionCreatedEvent,
  ConnectionPoolClosedEvent,
  ConnectionPoolReadyEvent,
  ConnectionReadyEvent,
} from 'mongodb';
import type { MongoClient } from './mongodb-driver.js';
import { ServerPool } from './server-pool.js';

/** A connection of the driver's pool, from its first event to its last. */
export interface PooledConnection {
  /** Grows with every connection, whatever the server. */
  readonly id: number;
  /** The driver's own number, by which it knows it for that server. */
  readonly driverId: number;
  readonly address: string;
  readonly createdAt: number;
  inUse: boolean;
  /** When it was last lent or given back. */
  since: number;
  /** Why it is being closed by us. */
  ending: CloseReason | undefined;
}

/** What a {@link PoolMonitor} is made of. */
export interface PoolMonitorSetup {
  readonly client: MongoClient;
  readonly clock: Clock;
  readonly events: EventHub<PoolEvents>;
  /** Most connections to one server. */
  readonly maxPerServer: number;
  /** A connection was made. */
  born?(connection: PooledConnection): void;
  gone?(connection: PooledConnection): void;
  /** A connection to the server of that pool came back, and nobody waits for it. */
  cameBack?(connection: PooledConnection, pool: ServerPool): void;
  /** A connection died: others to that server may be dead too. */
  lost?(address: string): void;
  /** Nothing is lent. */
  idle(): void;
  /** What the driver's pool has failed with last, for events that have no error. */
  lastError(): Error | undefined;
}

/** What the driver gives as the reason of a close, and what it is called here. */
const REASONS: Readonly<Record<string, CloseReason>> = {
  idle: 'idle',
  stale: 'flush',
  error: 'error',
  poolClosed: 'close',
};

type Listeners = Readonly<Record<string, (event: never) => void>>;

/**
 * Counts what the driver's pools do, by their CMAP events, in the terms of our own pool. There is one pool for each server of
 * the deployment; what is shown is all of them together.
 */
export class PoolMonitor {
  readonly counters = new PoolCounters();
  readonly #setup: PoolMonitorSetup;
  readonly #pools = new Map<string, ServerPool>();
  #lastId = 0;
  #generation = 1;
  #createFailures = 0;
  /** Why connections in use are closed, once the client is ended. */
  #endedBy: CloseReason | undefined;
  readonly #listeners: Listeners = {
    connectionPoolReady: ({ address }: ConnectionPoolReadyEvent) => {
      // Connects that were under way when it was cleared end without an event.
      this.#pool(address).connecting = 0;
    },
    connectionPoolCleared: () => this.#cleared(),
    connectionPoolClosed: ({ address }: ConnectionPoolClosedEvent) => this.#poolClosed(address, 'close'),
    connectionCreated: ({ address }: ConnectionCreatedEvent) => {
      this.#pool(address).connecting++;
    },
    connectionReady: (event: ConnectionReadyEvent) => this.#ready(event),
    connectionClosed: (event: ConnectionClosedEvent) => this.#closed(event),
    connectionCheckOutStarted: ({ address }: ConnectionCheckOutStartedEvent) => this.#started(address),
    connectionCheckOutFailed: (event: ConnectionCheckOutFailedEvent) => this.#failed(event),
    connectionCheckedOut: (event: ConnectionCheckedOutEvent) => this.#checkedOut(event),
    connectionCheckedIn: (event: ConnectionCheckedInEvent) => this.#checkedIn(event),
  } satisfies Record<string, (event: never) => void>;

  constructor(setup: PoolMonitorSetup) {
    this.#setup = setup;
    for (const [event, listener] of Object.entries(this.#listeners)) setup.client.on(event as never, listener as never);
  }

  get generation(): number {
    return this.#generation;
  }

  get connecting(): number {
    return this.#sum(({ connecting }) => connecting);
  }

  get counts(): LeaseCounts {
    const [open, inUse] = [this.#sum(({ connections }) => connections.size), this.#sum((pool) => pool.inUse)];
    const { pending } = this;
    const max = this.#setup.maxPerServer * Math.max(1, this.#pools.size);
    return { max, open, idle: open - inUse, inUse, pending };
  }

  /** Callers who wait. */
  get pending(): number {
    return this.#sum(({ pending }) => pending);
  }

  /** A server whose every connection is in use. */
  get full(): boolean {
    return [...this.#pools.values()].some(({ inUse }) => inUse >= this.#setup.maxPerServer);
  }

  /** A full server that callers wait for. */
  get saturated(): boolean {
    return [...this.#pools.values()].some(({ inUse, pending }) => pending > 0 && inUse >= this.#setup.maxPerServer);
  }

  get oldestBorrowMs(): number {
    const now = this.#setup.clock.now();
    let since = now;
    for (const { connections } of this.#pools.values()) {
      for (const connection of connections.values()) if (connection.inUse) since = Math.min(since, connection.since);
    }
    return now - since;
  }

  /** Those idle now, of every server. */
  idleConnections(): PooledConnection[] {
    return [...this.#pools.values()].flatMap((pool) => pool.idleConnections());
  }

  /** The client is about to be ended: what it closes from now on is not lost. `reason` is that of connections in use. */
  ending(reason: CloseReason): void {
    this.#endedBy = reason;
  }

  /** Counts the connections that are left as closed, and hears nothing more. */
  stop(): void {
    const { client } = this.#setup;
    for (const [event, listener] of Object.entries(this.#listeners)) client.off(event as never, listener as never);
    for (const address of [...this.#pools.keys()]) this.#poolClosed(address, this.#endedBy ?? 'close');
  }

  #pool(address: string): ServerPool {
    const known = this.#pools.get(address);
    if (known !== undefined) return known;
    const pool = new ServerPool();
    this.#pools.set(address, pool);
    return pool;
  }

  #sum(of: (pool: ServerPool) => number): number {
    let sum = 0;
    for (const pool of this.#pools.values()) sum += of(pool);
    return sum;
  }

  #ready({ address, connectionId, durationMS }: ConnectionReadyEvent): void {
    const pool = this.#pool(address);
    pool.connecting = Math.max(0, pool.connecting - 1);
    this.#createFailures = 0;
    this.counters.createTime.observe(durationMS);
    this.#add(pool, address, connectionId as number, durationMS);
  }

  #add(pool: ServerPool, address: string, driverId: number, durationMs: number): PooledConnection {
    const { clock, events } = this.#setup;
    const now = clock.now();
    const id = ++this.#lastId;
    const connection = { id, driverId, address, createdAt: now, inUse: false, since: now, ending: undefined };
    pool.connections.set(driverId, connection);
    this.counters.created++;
    this.#setup.born?.(connection);
    events.emit('created', { connectionId: id, generation: this.#generation, durationMs });
    return connection;
  }

  #closed({ address, connectionId, reason }: ConnectionClosedEvent): void {
    const pool = this.#pool(address);
    const connection = pool.connections.get(connectionId as number);
    if (connection === undefined) this.#connectFailed(pool);
    else this.#destroy(pool, connection, connection.ending ?? this.#reason(reason));
  }

  /** As the driver ends its client, it gives the connections in use back and closes them as failed ones. */
  #reason(driverReason: string): CloseReason {
    const reason = REASONS[driverReason] ?? 'error';
    return reason === 'error' ? (this.#endedBy ?? reason) : reason;
  }

  #connectFailed(pool: ServerPool): void {
    pool.connecting = Math.max(0, pool.connecting - 1);
    this.counters.createFailures++;
    const error = this.#setup.lastError() ?? new Error('the driver could not connect');
    this.#setup.events.emit('createFailed', { error, attempt: ++this.#createFailures, nextDelayMs: undefined });
  }

  #destroy(pool: ServerPool, connection: PooledConnection, reason: CloseReason): void {
    const { clock, events } = this.#setup;
    pool.connections.delete(connection.driverId);
    if (connection.inUse) this.#giveBack(pool, connection, clock.now());
    this.counters.closedBy[reason]++;
    this.counters.destroyed++;
    this.#setup.gone?.(connection);
    const { id: connectionId, createdAt } = connection;
    if (reason === 'error') {
      const error = this.#setup.lastError() ?? new Error('the driver has closed it after an error');
      this.#setup.lost?.(connection.address);
      events.emit('lost', { connectionId, error, inUse: false });
    }
    events.emit('destroyed', { connectionId, reason, ageMs: clock.now() - createdAt });
  }

  #poolClosed(address: string, reason: CloseReason): void {
    const pool = this.#pools.get(address);
    if (pool === undefined) return;
    for (const connection of [...pool.connections.values()]) {
      this.#destroy(pool, connection, connection.inUse ? reason : 'close');
    }
    this.#pools.delete(address);
  }

  #cleared(): void {
    this.#generation++;
    this.#setup.events.emit('generation', { generation: this.#generation, reason: 'flush' });
  }

  #started(address: string): void {
    if (this.#pool(address).wait(this.#setup.clock.now()).queued) this.counters.waitCount++;
  }

  #failed({ address, reason, durationMS }: ConnectionCheckOutFailedEvent): void {
    this.#pool(address).served(this.#setup.clock.now(), durationMS);
    this.counters.waitDurationMs += durationMS;
    if (reason !== 'timeout') return;
    this.counters.acquireTimeouts++;
    const error = new Error(`no connection to ${address} within ${durationMS} ms`);
    this.#setup.events.emit('acquireTimeout', { waitedMs: durationMS, error });
  }

  #checkedOut({ address, connectionId, durationMS }: ConnectionCheckedOutEvent): void {
    const now = this.#setup.clock.now();
    const pool = this.#pool(address);
    const waiter = pool.served(now, durationMS);
    if (waiter?.queued) {
      this.counters.waitDurationMs += durationMS;
      this.counters.waitTime.observe(durationMS);
    }
    const driverId = connectionId as number;
    // One that was made before anybody watched.
    const connection = pool.connections.get(driverId) ?? this.#add(pool, address, driverId, 0);
    this.counters.acquired++;
    pool.inUse++;
    connection.inUse = true;
    connection.since = now;
  }

  #checkedIn({ address, connectionId }: ConnectionCheckedInEvent): void {
    const pool = this.#pool(address);
    const connection = pool.connections.get(connectionId as number);
    if (connection === undefined) return;
    this.#giveBack(pool, connection, this.#setup.clock.now());
    if (pool.pending === 0) this.#setup.cameBack?.(connection, pool);
  }

  #giveBack(pool: ServerPool, connection: PooledConnection, now: number): void {
    this.counters.useTime.observe(now - connection.since);
    connection.inUse = false;
    connection.since = now;
    pool.inUse--;
    if (this.#sum(({ inUse }) => inUse) === 0) this.#setup.idle();
  }
}
