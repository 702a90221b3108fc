import { type BridgeTarget, isDbManagerError, PinnedSource, type SqlEngine, type SqlSession } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { CompiledQuery, QueryResult, TransactionSettings } from 'kysely';
import { SessionStatements } from './session-statements.js';
import { abortedForKysely, SharedConnection } from './shared-connection.js';

const SETS_FOREIGN_KEYS = /^\s*pragma\s+foreign_keys\s*[=(]/i;

/**
 * A logical connection of SQLite, since Kysely borrows before it knows the statement: reads run on a reader, the first
 * statement that is none takes the writer, which then stays until the connection is given back.
 */
export class SqliteConnection extends SharedConnection {
  protected readonly statements: SessionStatements;
  readonly #source: PinnedSource<unknown>;
  readonly #session: SqlSession;
  /** What `foreign_keys` was before this connection changed it. */
  #foreignKeys: unknown;
  /** The last error of a statement: it may say that the handle must not be used again. */
  #error: unknown;

  constructor(target: BridgeTarget, sql: SqlEngine<unknown>) {
    super();
    this.#source = new PinnedSource(target);
    this.#session = sql.session(this.#source);
    this.statements = new SessionStatements(this.#session);
  }

  override async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (SETS_FOREIGN_KEYS.test(query.sql)) this.#foreignKeys ??= await this.#readForeignKeys();
    try {
      return await super.executeQuery(query);
    } catch (error) {
      this.#error = error;
      throw error;
    }
  }

  /** Every transaction of SQLite is serializable, and so as isolated as any that is asked for. */
  begin({ accessMode }: TransactionSettings): Promise<void> {
    return this.#session.begin({ readOnly: accessMode === 'read only' });
  }

  async commit(): Promise<void> {
    try {
      await this.#session.commit();
    } catch (error) {
      throw isDbManagerError(error, 'DBM_TRANSACTION_ABORTED') ? abortedForKysely(error) : error;
    }
  }

  rollback(): Promise<void> {
    return this.#session.rollback();
  }

  savepoint(name: string): Promise<void> {
    return this.#session.savepoint(name);
  }

  rollbackTo(name: string): Promise<void> {
    return this.#session.rollbackTo(name);
  }

  releaseSavepoint(name: string): Promise<void> {
    return this.#session.releaseSavepoint(name);
  }

  /** Whoever writes next must find foreign keys as they are configured. */
  async release(): Promise<void> {
    try {
      if (this.#foreignKeys !== undefined) {
        await this.#session.query({ sql: `pragma foreign_keys = ${this.#foreignKeys}` });
      }
    } catch (error) {
      this.#session.release(error);
      this.#source.discard(error);
      throw error;
    }
    this.#session.release(this.#error);
    this.#source.release(this.#error);
  }

  async #readForeignKeys(): Promise<unknown> {
    const { rows } = await this.#session.query({ sql: 'pragma foreign_keys' });
    return rows[0]?.foreign_keys;
  }
}
