import type { Database as Sqlite } from 'better-sqlite3';
import type { TranslationScope } from '../tsql/translation.js';
import { Translator } from '../tsql/translator.js';
import { Catalog } from './catalog.js';
import type { StandInDatabase } from './database.js';
import { TableStore } from './table-store.js';

/** What a session's transaction is to each of its databases. */
export interface TransactionState {
  /** False: every statement is a transaction of its own. */
  readonly open: boolean;
  /** True when what has been read stays as it was. */
  readonly repeatable: boolean;
  readonly savepoints: readonly string[];
  readonly lockTimeoutMs: number;
}

/** A database as one session has it open. */
export class SessionDatabase {
  readonly database: StandInDatabase;
  readonly sqlite: Sqlite;
  readonly catalog: Catalog;
  readonly store: TableStore;
  readonly #session: TransactionState;

  constructor(database: StandInDatabase, sqlite: Sqlite, session: TransactionState) {
    this.database = database;
    this.sqlite = sqlite;
    this.#session = session;
    this.catalog = new Catalog(sqlite);
    this.store = new TableStore(sqlite, this.catalog, database, this.translate);
  }

  /** An expression of a definition, in SQLite's words. */
  readonly translate = (text: string): string => new Translator(this.#bare).definedExpression(text);

  /** Has what is read from now on stay as it is, where the isolation level says so. */
  async beginRead(signal: AbortSignal): Promise<void> {
    if (this.#session.open && this.#session.repeatable) {
      if (!this.sqlite.inTransaction) this.#begin('DEFERRED');
      return;
    }
    const { writer, settings } = this.database;
    const blocked = !settings.readCommittedSnapshot && writer.owner !== undefined && writer.owner !== this;
    if (!blocked) return;
    await writer.acquire(this, signal, this.#session.lockTimeoutMs);
    writer.release(this);
  }

  /** Runs `write` alone among all writers: inside the session's transaction, or in one of its own. */
  async write<T>(signal: AbortSignal, write: () => T): Promise<T> {
    await this.database.writer.acquire(this, signal, this.#session.lockTimeoutMs);
    if (!this.#session.open) return this.#writeAlone(write);
    if (!this.sqlite.inTransaction) this.#begin('IMMEDIATE');
    this.sqlite.exec('SAVEPOINT statement');
    try {
      return write();
    } catch (error) {
      if (this.sqlite.inTransaction) this.sqlite.exec('ROLLBACK TO statement');
      throw error;
    } finally {
      if (this.sqlite.inTransaction) this.sqlite.exec('RELEASE statement');
    }
  }

  #writeAlone<T>(write: () => T): T {
    try {
      this.sqlite.exec('BEGIN IMMEDIATE');
      const result = write();
      this.sqlite.exec('COMMIT');
      return result;
    } finally {
      this.rollback();
    }
  }

  #begin(mode: 'DEFERRED' | 'IMMEDIATE'): void {
    this.sqlite.exec(`BEGIN ${mode}`);
    for (const index of this.#session.savepoints.keys()) this.save(index);
  }

  save(index: number): void {
    if (this.sqlite.inTransaction) this.sqlite.exec(`SAVEPOINT sp_${index}`);
  }

  rollbackTo(index: number): void {
    if (this.sqlite.inTransaction) this.sqlite.exec(`ROLLBACK TO sp_${index}`);
  }

  commit(): void {
    if (this.sqlite.inTransaction) this.sqlite.exec('COMMIT');
    this.database.writer.release(this);
  }

  rollback(): void {
    if (this.sqlite.inTransaction) this.sqlite.exec('ROLLBACK');
    this.database.writer.release(this);
  }

  close(): void {
    this.rollback();
    this.sqlite.close();
  }

  /** Where expressions of definitions are translated: without variables. */
  get #bare(): TranslationScope {
    return {
      database: this.database.name,
      isSchema: (name) => this.catalog.hasSchema(name),
      isTableVariable: () => false,
      variableType: () => undefined,
      table: () => {
        throw new TypeError('an expression of a definition names no table');
      },
    };
  }
}
