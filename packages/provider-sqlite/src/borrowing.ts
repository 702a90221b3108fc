import type { AcquireOptions, Lane, Lease, LeaseSource } from '@dbmanager/core';
import type { SqliteConnection } from './sqlite-connection.js';

/** Borrows a connection, and its turn where the handle is shared. */
export async function borrow(
  source: LeaseSource<SqliteConnection>,
  options: AcquireOptions & { readonly lane: Lane },
): Promise<Lease<SqliteConnection>> {
  const lease = await source.acquire(options);
  const turn = lease.connection.enter(options.signal);
  if (turn !== undefined) {
    try {
      await turn;
    } catch (error) {
      lease.release();
      throw error;
    }
  }
  return lease;
}

/** Gives back what {@link borrow} gave. Whatever cleans or destroys a dirty connection ends its turn. */
export function giveBack(lease: Lease<SqliteConnection>, error?: unknown): void {
  if (lease.released) return;
  const { connection } = lease;
  if (!connection.dirty) connection.leave();
  lease.release(error);
}
