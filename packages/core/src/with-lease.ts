import type { Lease } from './pool/lease.js';
import type { Lane, LeaseSource } from './provider.js';

/**
 * Does `work` on a connection that is borrowed for it, and given back when it has ended, with the error that it rejected with.
 * Rejects with that, or as `acquire` of the source does.
 */
export async function withLease<C, T>(
  source: LeaseSource<C>,
  lane: Lane,
  signal: AbortSignal | undefined,
  work: (lease: Lease<C>) => Promise<T>,
): Promise<T> {
  const lease = tryAcquire(source, lane, signal) ?? (await source.acquire({ lane, signal }));
  try {
    const result = await work(lease);
    lease.release();
    return result;
  } catch (error) {
    lease.release(error);
    throw error;
  }
}

/** Saves the promise where a connection is idle. Who has given up already is refused by `acquire`. */
function tryAcquire<C>(source: LeaseSource<C>, lane: Lane, signal: AbortSignal | undefined): Lease<C> | undefined {
  return signal?.aborted ? undefined : source.tryAcquire?.(lane);
}
