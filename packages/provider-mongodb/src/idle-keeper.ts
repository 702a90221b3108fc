import type { Clock, CloseReason, Random, Timer } from '@dbmanager/core';
import type { PooledConnection } from './pool-monitor.js';
import type { ServerPool } from './server-pool.js';

/** Shortens a life at random, so that connections made together do not end together. */
const LIFETIME_JITTER = 0.025;

/** What an {@link IdleKeeper} goes by. */
export interface IdleKeeperSetup {
  readonly clock: Clock;
  readonly random: Random;
  readonly maxIdle: number;
  /** `conn_max_lifetime` in milliseconds; 0 is no limit. */
  readonly maxLifetimeMs: number;
  /** Has the driver close an idle connection; false when it is not idle any more. */
  close(connection: PooledConnection): boolean;
}

/** Ends connections that the driver would keep: beyond `max_idle_conns`, or older than `conn_max_lifetime`. */
export class IdleKeeper {
  readonly #setup: IdleKeeperSetup;
  readonly #expiresAt = new Map<PooledConnection, number>();
  #timer: Timer | undefined;

  constructor(setup: IdleKeeperSetup) {
    this.#setup = setup;
  }

  /** A connection was made. */
  born(connection: PooledConnection): void {
    const { clock, random, maxLifetimeMs } = this.#setup;
    if (maxLifetimeMs === 0) return;
    this.#expiresAt.set(connection, clock.now() + maxLifetimeMs * (1 - LIFETIME_JITTER * random()));
    if (this.#timer === undefined) this.#schedule();
  }

  /** A connection has gone. */
  gone(connection: PooledConnection): void {
    this.#expiresAt.delete(connection);
  }

  /** A connection to the server of that pool came back, and nobody waits for it. */
  cameBack(connection: PooledConnection, pool: ServerPool): void {
    if (this.#expired(connection)) this.#close(connection, 'lifetime');
    if (pool.idle <= this.#setup.maxIdle) return;
    // The one idle for longest goes first.
    const staying = pool.idleConnections().filter(({ ending }) => ending === undefined);
    staying.sort((a, b) => a.since - b.since);
    for (const each of staying.slice(0, Math.max(0, staying.length - this.#setup.maxIdle))) this.#close(each, 'idle');
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #expired(connection: PooledConnection): boolean {
    return (this.#expiresAt.get(connection) ?? Number.POSITIVE_INFINITY) <= this.#setup.clock.now();
  }

  #close(connection: PooledConnection, reason: CloseReason): void {
    if (connection.ending === undefined && this.#setup.close(connection)) connection.ending = reason;
  }

  /** Wakes when the next life ends; one in use then is ended when it comes back. */
  #schedule(): void {
    const now = this.#setup.clock.now();
    const next = Math.min(...[...this.#expiresAt.values()].filter((expiresAt) => expiresAt > now));
    this.#timer = undefined;
    if (next === Number.POSITIVE_INFINITY) return;
    this.#timer = this.#setup.clock.setTimer(next - now, () => {
      for (const connection of this.#expiresAt.keys()) {
        if (!connection.inUse && this.#expired(connection)) this.#close(connection, 'lifetime');
      }
      this.#schedule();
    });
  }
}
