import { abortedError, type CreateContext, DbManagerError } from '@dbmanager/core';
import { KvConnection } from './kv-connection.js';
import type { LevelDatabase } from './level-driver.js';
import { LevelHandle } from './level-handle.js';
import { ask, type HomeSetup, type LevelHome, Shares } from './level-home.js';

/** A database that the caller has opened and goes on owning. */
export class AdoptedLevel implements LevelHome {
  readonly #name: string;
  readonly #shares = new Shares();
  readonly #handle: LevelHandle;

  constructor(database: LevelDatabase, { config, context, now }: HomeSetup) {
    this.#name = config.name;
    this.#handle = new LevelHandle({
      database,
      connectionName: config.name,
      context,
      now,
      sync: config.options.sync,
      expiryIntervalMs: config.options.expiryIntervalMs,
      onFailed: (error) => this.#shares.lose(this.#handle, error),
    });
  }

  get current(): LevelHandle | undefined {
    return this.#handle.usable ? this.#handle : undefined;
  }

  async connect({ signal, lost }: CreateContext): Promise<KvConnection> {
    if (signal.aborted) throw abortedError(signal, this.#name);
    const connection = new KvConnection(this.#handle, this.#name);
    this.verify(connection);
    return this.#shares.add(connection, lost);
  }

  disconnect(connection: KvConnection): void {
    this.#shares.delete(connection);
  }

  verify({ handle }: KvConnection): void {
    if (handle.usable) return;
    throw new DbManagerError('DBM_CONNECTION_LOST', 'the database was closed', { connectionName: this.#name });
  }

  async probe(): Promise<void> {
    const share = new KvConnection(this.#handle, this.#name);
    this.verify(share);
    await ask(share);
  }

  async close(): Promise<void> {
    await this.#handle.detach();
  }
}
