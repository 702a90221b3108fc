import type { AcquireOptions, ConnectionConfig, Lane, Lease, LeaseCounts, LeaseSource } from '@dbmanager/core';

/** A lease source that remembers what was borrowed last: the connection that a session works on. */
export class SpiedSource<C> implements LeaseSource<C> {
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

  /** The lease that is held now. */
  get lease(): Lease<C> | undefined {
    return this.#lease?.released === false ? this.#lease : undefined;
  }

  async acquire(options?: AcquireOptions & { readonly lane?: Lane }): Promise<Lease<C>> {
    this.#lease = await this.#source.acquire(options);
    return this.#lease;
  }

  holding<T>(work: () => T): T {
    return this.#source.holding(work);
  }
}
