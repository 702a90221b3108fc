import { DbManagerError } from './errors.js';
import type { AcquireOptions, Lease } from './pool/lease.js';
import type { Lane, LeaseCounts, LeaseSource } from './provider.js';

/**
 * A lease source for one checkout of an ORM, where reads have a lane of their own: reads borrow as usual until the first
 * write, whose lease then serves everything until the checkout ends. What the ORM does on "its connection" (pragmas,
 * temporary tables) so stays on one.
 */
export class PinnedSource<C> implements LeaseSource<C> {
  readonly name: string;
  readonly config: LeaseSource<C>['config'];
  readonly #source: LeaseSource<C>;
  #pinned: Lease<C> | undefined;
  #ended = false;

  constructor(source: LeaseSource<C>) {
    this.name = source.name;
    this.config = source.config;
    this.#source = source;
  }

  get counts(): LeaseCounts {
    return this.#source.counts;
  }

  holding<T>(work: () => T): T {
    return this.#source.holding(work);
  }

  async acquire(options?: AcquireOptions & { readonly lane?: Lane }): Promise<Lease<C>> {
    if (this.#pinned !== undefined) return new PinnedLease(this.#pinned);
    const lease = await this.#source.acquire(options);
    if (this.#ended) {
      lease.release();
      throw new DbManagerError('DBM_LEASE_RELEASED', 'the connection was given back', {
        connectionName: this.name,
      });
    }
    if (options?.lane === 'read') return lease;
    this.#pinned = lease;
    return new PinnedLease(lease);
  }

  /** Gives the pinned lease back, if there is one; nothing is lent after that. */
  release(error?: unknown): void {
    this.#ended = true;
    this.#pinned?.release(error);
  }

  /** As `release`, but the connection is closed. */
  discard(reason: unknown): void {
    this.#ended = true;
    this.#pinned?.discard(reason);
  }
}

/** A lease of the pinned connection: giving it back leaves it pinned. */
class PinnedLease<C> implements Lease<C> {
  readonly #pinned: Lease<C>;
  #released = false;

  constructor(pinned: Lease<C>) {
    this.#pinned = pinned;
  }

  get id(): number {
    return this.#pinned.id;
  }

  get connection(): C {
    if (this.#released) throw new DbManagerError('DBM_LEASE_RELEASED', 'the connection was given back');
    return this.#pinned.connection;
  }

  get released(): boolean {
    return this.#released || this.#pinned.released;
  }

  release(): void {
    this.#released = true;
  }

  discard(reason?: unknown): void {
    if (this.#released) return;
    this.#released = true;
    this.#pinned.discard(reason);
  }

  note(summary: string): void {
    this.#pinned.note(summary);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
  }
}
