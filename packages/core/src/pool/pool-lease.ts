import type { Lease } from './lease.js';
import type { PoolEntry } from './pool-entry.js';
import { leaseReleased } from './pool-errors.js';

/** Where leases are given back. */
export interface LeaseDesk<C> {
  readonly name: string;
  giveBack(entry: PoolEntry<C>, error: unknown): void;
  discard(entry: PoolEntry<C>, reason: unknown): void;
}

/** The one implementation of {@link Lease}. Made on every hand-out, so it is kept small. */
export class PoolLease<C> implements Lease<C> {
  readonly id: number;
  readonly #desk: LeaseDesk<C>;
  /** Undefined once given back. */
  #entry: PoolEntry<C> | undefined;

  constructor(id: number, entry: PoolEntry<C>, desk: LeaseDesk<C>) {
    this.id = id;
    this.#entry = entry;
    this.#desk = desk;
  }

  get connection(): C {
    if (this.#entry === undefined) throw leaseReleased(this.#desk.name, this.id);
    return this.#entry.connection;
  }

  get released(): boolean {
    return this.#entry === undefined;
  }

  release(error?: unknown): void {
    const entry = this.#entry;
    if (entry === undefined) return;
    this.#entry = undefined;
    this.#desk.giveBack(entry, error);
  }

  discard(reason?: unknown): void {
    const entry = this.#entry;
    if (entry === undefined) return;
    this.#entry = undefined;
    this.#desk.discard(entry, reason);
  }

  note(summary: string): void {
    if (this.#entry !== undefined) this.#entry.lastStatement = summary;
  }

  /** Takes the connection away from a borrower who did not give it back in time. */
  revoke(): void {
    this.#entry = undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.release();
    return Promise.resolve();
  }
}
