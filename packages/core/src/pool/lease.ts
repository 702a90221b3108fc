/**
 * A connection borrowed from a pool. Every hand-out has its own lease, so a second `release()` can never give back
 * somebody else's. The normal form is `await using lease = await pool.acquire({ signal })`.
 */
export interface Lease<C> extends AsyncDisposable {
  /** Grows with every hand-out of the pool. */
  readonly id: number;
  /** The connection; throws `DBM_LEASE_RELEASED` once given back. */
  readonly connection: C;
  /** True once given back or lost to a forced close. */
  readonly released: boolean;
  /**
   * Gives the connection back; does nothing the second time. With an error the pool asks the factory's `judge` whether
   * the connection may be used again. Left in a transaction it is rolled back first, in the background.
   */
  release(error?: unknown): void;
  /** Gives the connection back to be closed; does nothing the second time. */
  discard(reason?: unknown): void;
  /** Remembers a summary of the last statement, without parameter values, for leak reports. */
  note(summary: string): void;
}

/** Options of an acquire. */
export interface AcquireOptions {
  /** Gives up waiting when aborted, with `DBM_ABORTED`. */
  readonly signal?: AbortSignal | undefined;
  /** Overrides `acquire_timeout`, in milliseconds. */
  readonly timeoutMs?: number | undefined;
}
