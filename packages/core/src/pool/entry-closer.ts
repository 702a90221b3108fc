import type { Clock } from '../clock.js';
import { settlesWithin } from './bounded-call.js';
import type { PoolEntry } from './pool-entry.js';

/** How long a polite close may take before the connection is cut. */
const POLITE_CLOSE_MS = 1_000;
/** How long a factory may take to cut a connection before the pool stops waiting for it. */
const CUT_MS = 1_000;

/**
 * Closes the connection of `entry`: politely first unless told otherwise, then by force. Always resolves, with what
 * went wrong if something did.
 */
export async function closeEntry(entry: PoolEntry<unknown>, clock: Clock, politely: boolean): Promise<unknown> {
  const cut = new AbortController();
  if (!politely) cut.abort();
  let problem: unknown;
  const closed = destroy(entry, cut.signal).catch((error: unknown) => {
    problem = error;
  });
  if (politely && (await settlesWithin(clock, closed, POLITE_CLOSE_MS))) return problem;
  cut.abort();
  if (await settlesWithin(clock, closed, CUT_MS)) return problem;
  return new Error('the connection did not close in time');
}

/** Async, so that a factory that throws at once rejects too. */
async function destroy(entry: PoolEntry<unknown>, signal: AbortSignal): Promise<void> {
  await entry.factory.destroy(entry.connection, signal);
}
