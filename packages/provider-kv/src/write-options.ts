import { KnownOptions } from '@dbmanager/core';

/** How a write is made. */
export interface WriteOptions {
  /** Wait for the disk. Default: the option `sync` of the connection. A database on a server decides that itself. */
  readonly sync?: boolean | undefined;
  /** Gives the write up if it has not been handed to LevelDB, with `DBM_ABORTED`; after that it is waited for. */
  readonly signal?: AbortSignal | undefined;
}

export const WRITE_OPTIONS = new KnownOptions<WriteOptions>('a write', { sync: true, signal: true });
