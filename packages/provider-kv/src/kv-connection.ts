import { isFatal, operationError } from './errors.js';
import type { LevelHandle } from './level-handle.js';

/**
 * A connection of the pool: a share of the one open database, which any number may use at a time. It bounds how many
 * operations, scans, snapshots and transactions there are at once, and lets a close wait for them.
 */
export class KvConnection {
  readonly handle: LevelHandle;
  /** Name of the connection, for errors. */
  readonly name: string;

  constructor(handle: LevelHandle, name: string) {
    this.handle = handle;
    this.name = name;
  }

  /** Runs `work` on the database. Its errors become ours, and one that ends the handle is made known. */
  async attempt<T>(work: (handle: LevelHandle) => Promise<T>): Promise<T> {
    try {
      return await work(this.handle);
    } catch (error) {
      throw this.failure(error);
    }
  }

  /** The error to throw for one of the driver; one that ends the handle is made known. */
  failure(error: unknown): Error {
    const ours = operationError(error, this.name);
    if (isFatal(error)) this.handle.fail(ours);
    return ours;
  }
}
