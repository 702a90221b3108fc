import type { AcquireOptions, ConnectionConfig, Lane, Lease, LeaseCounts, LeaseSource } from '@dbmanager/core';

/** A source for one session, which remembers what that has borrowed last: ORMs are bound to it, and tests break it. */
export class RememberingSource<C> implements LeaseSource<C> {
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

  /** What was borrowed last, given back or not; undefined when nothing was. */
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
