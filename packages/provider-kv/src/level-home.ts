import type { ConnectionConfig, CreateContext, ProviderContext } from '@dbmanager/core';
import type { KvConnection } from './kv-connection.js';
import type { KvOptions } from './kv-options.js';
import { AS_BYTES } from './level-driver.js';
import type { LevelHandle } from './level-handle.js';

/** Any key: whether it is there does not matter, only that LevelDB looks. */
const PROBE_KEY = Buffer.from('!#probe!');

/** What makes a database usable, and how to know that it still is. */
export interface LevelHome {
  /** The database, when it is open and well. */
  readonly current: LevelHandle | undefined;
  /** A share of the database, which is opened now if need be. */
  connect(context: CreateContext): Promise<KvConnection>;
  disconnect(connection: KvConnection): void;
  /** Throws when the share is of no use any more. */
  verify(connection: KvConnection): void;
  /** Rejects when the database does not answer. */
  probe(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** What every home needs. */
export interface HomeSetup {
  readonly config: ConnectionConfig<KvOptions>;
  readonly context: ProviderContext;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** The shares that are out, and how to tell the pool that they are lost. */
export class Shares {
  readonly #lost = new Map<KvConnection, (error: Error) => void>();

  add(connection: KvConnection, lost: (error: Error) => void): KvConnection {
    this.#lost.set(connection, lost);
    return connection;
  }

  delete(connection: KvConnection): void {
    this.#lost.delete(connection);
  }

  /** All shares of a handle are of no more use. */
  lose(handle: LevelHandle, error: Error): void {
    for (const [connection, lost] of this.#lost) if (connection.handle === handle) lost(error);
  }
}

/** Asks the database itself. Rejects when it does not answer. */
export async function ask(connection: KvConnection): Promise<void> {
  await connection.attempt(({ database }) => database.get(PROBE_KEY, { ...AS_BYTES, fillCache: false }));
}
