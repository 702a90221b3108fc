import {
  type BeginOptions,
  CommitUnknownError,
  DbManagerError,
  type DbManagerErrorOptions,
  type ErrorCode,
  type Lane,
  type Statement,
  type StatementResult,
} from '@dbmanager/core';
import type { FakeDatabase } from './fake-database.js';
import { type FakeTables, isWrite } from './fake-sql.js';

/** An open transaction: the writes so far, replayed on the database at commit. */
interface FakeTransaction {
  readonly base: FakeTables;
  readonly readOnly: boolean;
  view: FakeTables;
  journal: Statement[];
  savepoints: { readonly name: string; readonly writes: number }[];
  /** A statement failed: as PostgreSQL does, only a rollback is accepted. */
  failed: boolean;
}

/** A connection to a {@link FakeDatabase}. Using it wrongly is put on record there and throws. */
export class FakeConnection {
  /** Grows with every connection of the database. */
  readonly id: number;
  readonly lane: Lane;
  readonly #database: FakeDatabase;
  readonly #connectionName: string;
  readonly #lost: (error: Error) => void;
  #death: Error | undefined;
  #destroyed = false;
  #running = 0;
  #transaction: FakeTransaction | undefined;

  constructor(
    database: FakeDatabase,
    setup: { id: number; lane: Lane; connectionName: string; lost: (error: Error) => void },
  ) {
    this.#database = database;
    this.id = setup.id;
    this.lane = setup.lane;
    this.#connectionName = setup.connectionName;
    this.#lost = setup.lost;
  }

  /** The error it died of, if it did. */
  get death(): Error | undefined {
    return this.#death;
  }

  get destroyed(): boolean {
    return this.#destroyed;
  }

  get inTransaction(): boolean {
    return this.#transaction !== undefined;
  }

  /** True while a statement or stream runs on it or a transaction is open. */
  get busy(): boolean {
    return this.#running > 0 || this.inTransaction;
  }

  /** The server ends it: what runs fails, and the pool is told. */
  die(error: Error = this.error('DBM_CONNECTION_LOST', 'the server closed the connection')): void {
    if (this.#death !== undefined || this.#destroyed) return;
    this.#death = error;
    this.#transaction = undefined;
    this.#lost(error);
  }

  /** Leaves a transaction open, as a careless borrower does. */
  soil(): void {
    this.begin();
  }

  /** Rejects when it has died; part of the factory. */
  async validate(signal: AbortSignal): Promise<void> {
    this.#usable();
    await this.#database.answer('validate', signal);
    this.#alive();
  }

  /** Closes it for good; part of the factory. */
  destroy(signal: AbortSignal): void {
    if (this.#destroyed) throw this.#database.complain(`connection ${this.id} was destroyed twice`);
    if (this.#running > 0 && this.#death === undefined && !signal.aborted) {
      this.#database.complain(`connection ${this.id} was destroyed while a statement ran on it`);
    }
    this.#destroyed = true;
    this.#transaction = undefined;
    this.#database.forget(this);
  }

  /** Runs one statement, taking as long as the database is told to take. */
  async execute(statement: Statement, signal?: AbortSignal): Promise<StatementResult> {
    this.#usable();
    this.#alive();
    return this.occupied(async () => {
      await this.#database.answer('statement', signal);
      this.#alive();
      return this.#run(statement);
    });
  }

  /** Marks the connection as in use while `work` runs. */
  async occupied<T>(work: () => Promise<T>): Promise<T> {
    this.#running++;
    try {
      return await work();
    } finally {
      this.#running--;
    }
  }

  begin({ readOnly = false }: BeginOptions = {}): void {
    this.#usable();
    if (this.#transaction !== undefined) throw this.error('DBM_QUERY_FAILED', 'a transaction is open already');
    const base = this.#database.tables.copy();
    this.#transaction = { base, readOnly, view: base.copy(), journal: [], savepoints: [], failed: false };
  }

  async commit(): Promise<void> {
    const transaction = this.#open();
    this.#transaction = undefined;
    if (transaction.failed)
      throw this.error('DBM_TRANSACTION_ABORTED', 'the transaction had failed; it is rolled back');
    if (this.#database.takeCommitDeath()) this.die();
    if (this.#death !== undefined) throw new CommitUnknownError(this.#connectionName, this.#death);
    for (const write of transaction.journal) this.#database.tables.run(write);
  }

  rollback(): void {
    this.#usable();
    this.#transaction = undefined;
  }

  savepoint(name: string): void {
    const transaction = this.#open();
    transaction.savepoints.push({ name, writes: transaction.journal.length });
  }

  rollbackTo(name: string): void {
    const transaction = this.#open();
    const index = this.#findSavepoint(transaction, name);
    transaction.savepoints.length = index + 1;
    transaction.journal.length = transaction.savepoints[index]?.writes ?? 0;
    transaction.view = transaction.base.copy();
    for (const write of transaction.journal) transaction.view.run(write);
    transaction.failed = false;
  }

  releaseSavepoint(name: string): void {
    const transaction = this.#open();
    transaction.savepoints.length = this.#findSavepoint(transaction, name);
  }

  /** An error that names the connection. */
  error(code: ErrorCode, message: string, options: DbManagerErrorOptions = {}): DbManagerError {
    return new DbManagerError(code, message, { connectionName: this.#connectionName, ...options });
  }

  #run(statement: Statement): StatementResult {
    const transaction = this.#transaction;
    if (transaction?.failed) {
      throw this.error('DBM_QUERY_FAILED', 'the transaction has failed; statements are ignored until it ends');
    }
    try {
      const writes = isWrite(statement.sql);
      if (writes && (this.lane === 'read' || transaction?.readOnly || this.#database.readOnly)) {
        throw this.error('DBM_READ_ONLY', 'cannot write here');
      }
      const result = (transaction?.view ?? this.#database.tables).run(statement);
      if (writes) transaction?.journal.push(statement);
      return result;
    } catch (error) {
      if (transaction !== undefined) transaction.failed = true;
      if (error instanceof DbManagerError) throw error;
      throw this.error('DBM_QUERY_FAILED', (error as Error).message, { cause: error });
    }
  }

  #open(): FakeTransaction {
    this.#usable();
    if (this.#transaction === undefined) throw this.error('DBM_QUERY_FAILED', 'no transaction is open');
    return this.#transaction;
  }

  #findSavepoint(transaction: FakeTransaction, name: string): number {
    const index = transaction.savepoints.findLastIndex((savepoint) => savepoint.name === name);
    if (index < 0) throw this.error('DBM_QUERY_FAILED', `no such savepoint: ${name}`);
    return index;
  }

  #usable(): void {
    if (this.#destroyed) throw this.#database.complain(`connection ${this.id} was used after it had been destroyed`);
  }

  #alive(): void {
    if (this.#death !== undefined) throw this.#death;
  }
}
