import type { Clock } from '../clock.js';
import { Alarm } from './alarm.js';
import type { IdleStack } from './idle-stack.js';
import type { LeakDetector } from './leak-detector.js';
import type { PoolEntry } from './pool-entry.js';
import type { PoolOptions } from './pool-options.js';

/** What a {@link Housekeeper} tells its pool to do. */
export interface HousekeeperHost<C> {
  readonly idle: IdleStack<C>;
  /** All open connections. */
  readonly entries: ReadonlySet<PoolEntry<C>>;
  /** An idle connection is too old, or idle for too long. */
  retire(entry: PoolEntry<C>, reason: 'lifetime' | 'idle'): void;
  /** An idle connection is due for a ping. */
  ping(entry: PoolEntry<C>): void;
  /** A connection is held for too long. */
  leaked(entry: PoolEntry<C>, now: number): void;
}

/** Ages idle connections, keeps them alive and looks for leaks: one timer for whatever is due first. */
export class Housekeeper<C> {
  readonly #host: HousekeeperHost<C>;
  readonly #leaks: LeakDetector;
  readonly #maxIdleMs: number;
  readonly #alarm: Alarm;

  constructor(setup: { clock: Clock; options: PoolOptions; leaks: LeakDetector; host: HousekeeperHost<C> }) {
    const { connMaxIdleTimeMs } = setup.options;
    this.#host = setup.host;
    this.#leaks = setup.leaks;
    this.#maxIdleMs = connMaxIdleTimeMs === 0 ? Number.POSITIVE_INFINITY : connMaxIdleTimeMs;
    this.#alarm = new Alarm(setup.clock, (now) => this.#sweep(now));
  }

  /** `entry` has become idle. */
  idled(entry: PoolEntry<C>): void {
    this.#alarm.by(this.#dueAt(entry));
  }

  /** `entry` has been lent. */
  lent(entry: PoolEntry<C>): void {
    this.#alarm.by(this.#leaks.dueAt(entry));
  }

  stop(): void {
    this.#alarm.cancel();
  }

  #dueAt(entry: PoolEntry<C>): number {
    return Math.min(entry.idleSince + this.#maxIdleMs, entry.provenAt + entry.keepaliveMs, entry.expiresAt);
  }

  /** Does what is due and returns when the next thing is. */
  #sweep(now: number): number {
    for (const entry of this.#host.idle.toArray()) this.#tend(entry, now);
    let next = Number.POSITIVE_INFINITY;
    for (const entry of this.#host.entries) {
      if (this.#leaks.dueAt(entry) <= now) this.#host.leaked(entry, now);
      next = Math.min(next, this.#leaks.dueAt(entry));
    }
    for (const entry of this.#host.idle.toArray()) next = Math.min(next, this.#dueAt(entry));
    return next;
  }

  #tend(entry: PoolEntry<C>, now: number): void {
    if (now >= entry.expiresAt) this.#host.retire(entry, 'lifetime');
    else if (now >= entry.idleSince + this.#maxIdleMs) this.#host.retire(entry, 'idle');
    else if (now >= entry.provenAt + entry.keepaliveMs) this.#host.ping(entry);
  }
}
