import type { LeaseSource } from '@dbmanager/core';

/** The counts of tarn, Knex's own pool, for libraries that read `knex.client.pool`; they are those of the shared pool. */
export class KnexPoolView {
  readonly #source: LeaseSource;

  constructor(source: LeaseSource) {
    this.#source = source;
  }

  get max(): number {
    return this.#source.counts.max;
  }

  /** Connections in use, by whomever. */
  numUsed(): number {
    return this.#source.counts.inUse;
  }

  /** Idle connections. */
  numFree(): number {
    return this.#source.counts.idle;
  }

  /** Callers waiting for a connection. */
  numPendingAcquires(): number {
    return this.#source.counts.pending;
  }

  /** Always 0: Knex itself creates none; the connection's `stats()` tells how many the shared pool is opening. */
  numPendingCreates(): number {
    return 0;
  }
}
