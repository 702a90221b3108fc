import { type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { abortedError, type ConnectionConfig, type CreateContext, DbManagerError } from '@dbmanager/core';
import { type BusyWait, DRIVER_BUSY_MS } from './busy-wait.js';
import { openError } from './errors.js';
import { SqliteConnection } from './sqlite-connection.js';
import type { SqliteDatabase, SqliteDriver } from './sqlite-driver.js';
import type { SqliteOptions } from './sqlite-options.js';
import { applyPragmas } from './sqlite-pragmas.js';
import { StatementCache } from './statement-cache.js';

/** What handles may do. */
export type SqliteAccess = 'read' | 'write';

/**
 * One database file: opens handles on it and notices when it is no longer the same file. Files are only ever looked at by
 * `stat`: closing a descriptor of our own would drop the locks SQLite holds (POSIX locks belong to the process).
 */
export class SqliteFile {
  readonly #driver: SqliteDriver;
  readonly #config: ConnectionConfig<SqliteOptions>;
  readonly #wait: BusyWait;
  /** Open connections, and how to tell the pool that one is lost. */
  readonly #open = new Map<SqliteConnection, (error: Error) => void>();
  /** Device and inode, once opened. */
  #identity: string | undefined;

  constructor(driver: SqliteDriver, config: ConnectionConfig<SqliteOptions>, wait: BusyWait) {
    this.#driver = driver;
    this.#config = config;
    this.#wait = wait;
  }

  /** Opens a handle with every pragma set. Rejects with a typed error, and then nothing is left open. */
  async open(access: SqliteAccess, { signal, lost }: CreateContext): Promise<SqliteConnection> {
    try {
      if (access === 'read' && !this.#config.options.readOnly && this.#identity === undefined) {
        // A reader can neither create the file nor switch it to WAL.
        (await this.#openHandle('write', signal)).close();
      }
      const database = await this.#openHandle(access, signal);
      const connection = new SqliteConnection({
        database,
        statements: new StatementCache(database, this.#config.options.statementCacheSize),
        readOnly: access === 'read',
        busyTimeoutMs: DRIVER_BUSY_MS,
      });
      this.#open.set(connection, lost);
      return connection;
    } catch (error) {
      throw openError(error, this.#config.name, this.#path);
    }
  }

  /**
   * Closes a handle; an open transaction is rolled back by SQLite. Throws when a row iterator is still open that was made on the
   * handle itself.
   */
  close(connection: SqliteConnection): void {
    this.#open.delete(connection);
    connection.endReading();
    connection.database.close();
  }

  /** Throws `DBM_FILE_NOT_ACCESSIBLE` when the file has gone or is another one than was opened. */
  verify(): void {
    const found = this.#stat();
    if (this.#identity === undefined || identityOf(found) === this.#identity) return;
    throw this.#notAccessible(found === undefined ? 'has been deleted or moved' : 'has been replaced by another file');
  }

  /** Reads from the file with a handle of its own. Rejects when that is not possible. */
  async probe(signal: AbortSignal): Promise<void> {
    try {
      this.verify();
      // Before the first connect there may be no file yet; that its folder exists is all there is to know.
      if (this.#stat() === undefined && !this.#mustExist) return this.#requireFolder();
      (await this.#openHandle('read', signal)).close();
    } catch (error) {
      throw openError(error, this.#config.name, this.#path);
    }
  }

  get #path(): string {
    return this.#config.options.filepath;
  }

  /** Once opened, a missing file is a fault: creating it anew would turn a lost database into an empty one. */
  get #mustExist(): boolean {
    return this.#config.options.mustExist || this.#identity !== undefined;
  }

  async #openHandle(access: SqliteAccess, signal: AbortSignal): Promise<SqliteDatabase> {
    if (signal.aborted) throw abortedError(signal, this.#config.name);
    this.#requireFolder();
    const database = new this.#driver(this.#path, {
      readonly: access === 'read',
      fileMustExist: this.#mustExist,
      timeout: DRIVER_BUSY_MS,
    });
    try {
      const canWrite = access === 'write';
      await this.#wait.run(() => applyPragmas(database, this.#config.options, { canWrite }), { signal });
      this.#recognise();
    } catch (error) {
      database.close();
      throw error;
    }
    return database;
  }

  /** Remembers which file was opened. When it is another one than before, all older connections are of no use. */
  #recognise(): void {
    const identity = identityOf(this.#stat());
    const replaced = this.#identity !== undefined && identity !== this.#identity;
    this.#identity = identity;
    if (!replaced) return;
    const error = new DbManagerError('DBM_CONNECTION_LOST', `${this.#path} has been replaced by another file`, {
      connectionName: this.#config.name,
      option: 'filepath',
    });
    for (const lost of this.#open.values()) lost(error);
  }

  #requireFolder(): void {
    const folder = dirname(this.#path);
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
      throw this.#notAccessible(`cannot be opened: the folder ${folder} does not exist`);
    }
  }

  #stat(): Stats | undefined {
    return statSync(this.#path, { throwIfNoEntry: false });
  }

  #notAccessible(reason: string): DbManagerError {
    return new DbManagerError('DBM_FILE_NOT_ACCESSIBLE', `${this.#path} ${reason}`, {
      connectionName: this.#config.name,
      option: 'filepath',
    });
  }
}

function identityOf(stats: Stats | undefined): string | undefined {
  return stats === undefined ? undefined : `${stats.dev}:${stats.ino}`;
}
