import { type Stats, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { abortedError, type CreateContext, DbManagerError, type ErrorCode, raceSignal } from '@dbmanager/core';
import { openError } from './errors.js';
import { KvConnection } from './kv-connection.js';
import { AS_BYTES, type LevelDatabase, type LevelDriver } from './level-driver.js';
import { LevelHandle } from './level-handle.js';
import { ask, type HomeSetup, type LevelHome, Shares } from './level-home.js';

/**
 * A folder with one database in it, opened once for all connections of the pool and held, with its lock, until the engine
 * closes. It is opened anew after LevelDB has failed, and when the folder turns out to be another one.
 */
export class LevelFolder implements LevelHome {
  readonly #driver: LevelDriver;
  readonly #setup: HomeSetup;
  readonly #shares = new Shares();
  #handle: LevelHandle | undefined;
  #opening: Promise<LevelHandle> | undefined;
  /** Device and inode of the lock, once opened. While we hold it open, no other file can have them. */
  #identity: string | undefined;
  #closed = false;

  constructor(driver: LevelDriver, setup: HomeSetup) {
    this.#driver = driver;
    this.#setup = setup;
  }

  get current(): LevelHandle | undefined {
    return this.#handle?.usable === true ? this.#handle : undefined;
  }

  async connect({ signal, lost }: CreateContext): Promise<KvConnection> {
    if (signal.aborted) throw abortedError(signal, this.#name);
    // An open that was begun goes on: the next caller has use for it, or else the engine closes it.
    const handle = await raceSignal(this.#open(), signal);
    return this.#shares.add(new KvConnection(handle, this.#name), lost);
  }

  disconnect(connection: KvConnection): void {
    this.#shares.delete(connection);
  }

  verify({ handle }: KvConnection): void {
    if (!handle.usable) throw this.#error('DBM_CONNECTION_LOST', 'the database was closed');
    const found = statSync(this.#lock, { throwIfNoEntry: false });
    if (identityOf(found) === this.#identity) return;
    const error = this.#error(
      'DBM_FILE_NOT_ACCESSIBLE',
      `${this.#folder} ${found === undefined ? 'has been deleted or moved' : 'has been replaced by another database'}`,
    );
    handle.fail(error);
    throw error;
  }

  async probe(signal: AbortSignal): Promise<void> {
    // Before the first connect there may be no database yet; that its folder could be made is all there is to know.
    if (this.#identity === undefined && !this.#setup.config.options.mustExist) return this.#requireParent();
    const share = await this.connect({ signal, lost() {} });
    try {
      this.verify(share);
      await ask(share);
    } finally {
      this.disconnect(share);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    // Whoever asked for it has been told why it failed.
    await this.#opening?.catch(() => undefined);
    await this.#discard();
  }

  get #name(): string {
    return this.#setup.config.name;
  }

  get #folder(): string {
    return this.#setup.config.options.filepath;
  }

  get #lock(): string {
    return join(this.#folder, 'LOCK');
  }

  #open(): Promise<LevelHandle> {
    if (this.#closed) return Promise.reject(this.#error('DBM_CLOSED', 'closed'));
    if (this.current !== undefined) return Promise.resolve(this.current);
    this.#opening ??= this.#openAnew().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #openAnew(): Promise<LevelHandle> {
    const { config, context, now } = this.#setup;
    const { options } = config;
    try {
      await this.#discard();
      this.#requireParent();
      this.#requireDatabase();
      const database = await this.#openDatabase();
      this.#identity = identityOf(statSync(this.#lock));
      const handle: LevelHandle = new LevelHandle({
        database,
        connectionName: config.name,
        context,
        now,
        sync: options.sync,
        expiryIntervalMs: options.expiryIntervalMs,
        onFailed: (error) => this.#shares.lose(handle, error),
      });
      this.#handle = handle;
      return handle;
    } catch (error) {
      throw openError(error, config.name, this.#folder);
    }
  }

  async #openDatabase(): Promise<LevelDatabase> {
    const { options } = this.#setup.config;
    const database = new this.#driver.ClassicLevel(this.#folder, {
      ...AS_BYTES,
      compression: options.compression,
      cacheSize: options.cacheSizeKib * 1024,
      writeBufferSize: options.writeBufferSizeKib * 1024,
      blockSize: options.blockSizeKib * 1024,
      maxFileSize: options.maxFileSizeKib * 1024,
      maxOpenFiles: options.maxOpenFiles,
    });
    await database.open();
    return database;
  }

  /** Closes what is open. Scans and snapshots of it are at an end. */
  async #discard(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.detach();
    await handle?.database.close();
  }

  #requireParent(): void {
    const parent = dirname(this.#folder);
    if (statSync(parent, { throwIfNoEntry: false })?.isDirectory() === true) return;
    throw this.#error(
      'DBM_FILE_NOT_ACCESSIBLE',
      `${this.#folder} cannot be opened: the folder ${parent} does not exist`,
    );
  }

  /** Once opened, a missing database is a fault: creating it anew would turn a lost database into an empty one. */
  #requireDatabase(): void {
    if (!this.#setup.config.options.mustExist && this.#identity === undefined) return;
    if (statSync(join(this.#folder, 'CURRENT'), { throwIfNoEntry: false }) !== undefined) return;
    throw this.#error('DBM_FILE_NOT_ACCESSIBLE', `${this.#folder} holds no database`);
  }

  #error(code: ErrorCode, message: string): DbManagerError {
    return new DbManagerError(code, message, { connectionName: this.#name, option: 'filepath' });
  }
}

/** A file as the system knows it, whatever its name. */
function identityOf(stats: Stats | undefined): string | undefined {
  return stats && `${stats.dev}:${stats.ino}`;
}
