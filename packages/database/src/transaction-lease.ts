import type { AcquireOptions, ConnectionConfig, Lane, Lease, LeaseCounts, LeaseSource } from '@dbmanager/core';

/** The source that the session of one transaction borrows from: it remembers the lease, for ORMs to be bound to. */
export class TransactionLease<C> implements LeaseSource<C> {
  readonly name: string;
  readonly config: ConnectionConfig;
  readonly #source: LeaseSource<C>;
  #lease: Lease<C> | undefined;

  constructor(source: LeaseSource<C>) {
    this.name = source.name;
    this.config = source.config;
    this.#source = source;
  }

  get counts(): LeaseCounts {
    return this.#source.counts;
  }

  /** The lease that the transaction runs on; undefined before it has begun. */
  get lease(): Lease<C> | undefined {
    return this.#lease;
  }

  async acquire(options?: AcquireOptions & { readonly lane?: Lane }): Promise<Lease<C>> {
    this.#lease = await this.#source.acquire(options);
    return this.#lease;
  }

  holding<T>(work: () => T): T {
    return this.#source.holding(work);
  }
}
