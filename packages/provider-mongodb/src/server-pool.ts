import type { PooledConnection } from './pool-monitor.js';

/** Allowed between two readings of one clock in whole milliseconds. */
const ROUNDING_MS = 2;

/** Who waits for a connection. */
export interface Waiter {
  readonly since: number;
  /** Not served at once. */
  readonly queued: boolean;
}

/** What is known of the driver's pool for one server. */
export class ServerPool {
  readonly connections = new Map<number, PooledConnection>();
  /** Connects under way. */
  connecting = 0;
  inUse = 0;
  /** In the order in which they came. */
  readonly #waiters: Waiter[] = [];

  get idle(): number {
    return this.connections.size - this.inUse;
  }

  get pending(): number {
    return this.#waiters.length;
  }

  /** Somebody asks for a connection. */
  wait(now: number): Waiter {
    const waiter = { since: now, queued: this.idle === 0 || this.#waiters.length > 0 };
    this.#waiters.push(waiter);
    return waiter;
  }

  /**
   * The waiter who has been served, or has given up, after that time. The driver says nothing of those that an AbortSignal
   * has taken out of the queue: they are found out when somebody who came after them is served from it.
   */
  served(now: number, waitedMs: number): Waiter | undefined {
    const since = now - waitedMs - ROUNDING_MS;
    // While connects are under way, those who wait for them are overtaken by others.
    if (this.connecting === 0) {
      while (this.#waiters.length > 1 && (this.#waiters[0] as Waiter).since < since) this.#waiters.shift();
    }
    return this.#waiters.shift();
  }

  /** Those idle, in no order. */
  idleConnections(): PooledConnection[] {
    return [...this.connections.values()].filter(({ inUse }) => !inUse);
  }
}
