import type { Database as Sqlite } from 'better-sqlite3';
import { SqlError } from '../sql-error.js';
import type { SqlValue } from '../sql-value.js';
import type { EnvironmentChange } from '../wire/tokens.js';
import type { IsolationLevel } from '../wire/transaction-request.js';
import type { StandInDatabase } from './database.js';
import { SessionDatabase, type TransactionState } from './session-database.js';
import type { SqliteFunctions } from './sqlite-functions.js';
import type { SystemTables } from './system-tables.js';
import { TemporaryTables } from './temporary-tables.js';

/** What a session asks its server. */
export interface SessionServer {
  readonly systemTables: SystemTables;
  database(name: string): StandInDatabase | undefined;
  databaseById(id: number): StandInDatabase | undefined;
  /** Of the next transaction. */
  nextTransaction(): bigint;
  /** Gives back the named locks of a session. */
  releaseNamedLocks(session: Session, owner: 'transaction' | 'session'): void;
}

/** Who a session belongs to. */
export interface SessionLogin {
  readonly user: string;
  readonly hostName: string;
  readonly appName: string;
  readonly clientName: string;
  readonly loginTime: string;
}

/** The settings that SET changes. */
export interface SessionOptions {
  xactAbort: boolean;
  noCount: boolean;
  isolation: IsolationLevel;
  lockTimeoutMs: number;
  /** The table that takes values for its identity column. */
  identityInsert: string | undefined;
}

const DEFAULTS: SessionOptions = {
  xactAbort: false,
  noCount: false,
  isolation: 'read committed',
  lockTimeoutMs: -1,
  identityInsert: undefined,
};

const REPEATABLE: readonly IsolationLevel[] = ['repeatable read', 'serializable', 'snapshot'];
const MAX_SAVEPOINT_NAME = 32;

type Tell = (change: EnvironmentChange) => void;

/** What one connection has on the server: a database, settings, at most one transaction, and what it keeps between requests. */
export class Session implements TransactionState {
  readonly spid: number;
  readonly login: SessionLogin;
  readonly server: SessionServer;
  options: SessionOptions = { ...DEFAULTS };
  /** @@ROWCOUNT, @@ERROR, SCOPE_IDENTITY() and the error that CATCH is handling. */
  rowCount = 0;
  errorNumber = 0;
  scopeIdentity: bigint | null = null;
  caught: SqlError | undefined;
  /** True when the transaction can only be rolled back. */
  doomed = false;
  /** They go with the session at the latest. */
  readonly temporary: TemporaryTables;
  readonly context = new Map<string, SqlValue>();
  readonly prepared = new Map<number, { readonly sql: string; readonly parameters: string }>();
  /** Where the rows of the next bulk load go. */
  bulkTable: readonly string[] | undefined;
  /** What runs now; undefined while it sleeps. */
  running: string | undefined;
  readonly #loginDatabase: StandInDatabase;
  readonly #open = new Map<StandInDatabase, SessionDatabase>();
  readonly #createdTypes = new Set<string>();
  #database: StandInDatabase;
  #depth = 0;
  #transaction = 0n;
  #savepoints: string[] = [];
  #nextHandle = 1;

  constructor(spid: number, login: SessionLogin, database: StandInDatabase, server: SessionServer) {
    this.spid = spid;
    this.temporary = new TemporaryTables(spid);
    this.login = login;
    this.server = server;
    this.#loginDatabase = database;
    this.#database = database;
  }

  get database(): StandInDatabase {
    return this.#database;
  }

  /** The database in use, as this session has it open. */
  get current(): SessionDatabase {
    const found = this.#open.get(this.#database);
    if (found !== undefined) return found;
    const sqlite = this.#database.open(this.#functions(this.#database), this.server.systemTables);
    const opened = new SessionDatabase(this.#database, sqlite, this);
    this.#open.set(this.#database, opened);
    return opened;
  }

  get sqlite(): Sqlite {
    return this.current.sqlite;
  }

  use(name: string, tell: Tell): void {
    const database = this.server.database(name);
    if (database === undefined) {
      throw new SqlError(911, `Database '${name}' does not exist. Make sure that the name is entered correctly.`);
    }
    const from = this.#database.name;
    this.#database = database;
    tell({ of: 'database', to: database.name, from });
  }

  /** @@TRANCOUNT. */
  get depth(): number {
    return this.#depth;
  }

  get open(): boolean {
    return this.#depth > 0;
  }

  get repeatable(): boolean {
    return REPEATABLE.includes(this.options.isolation);
  }

  get savepoints(): readonly string[] {
    return this.#savepoints;
  }

  get lockTimeoutMs(): number {
    return this.options.lockTimeoutMs;
  }

  /** What requests of the open transaction say that they belong to; 0: there is none. */
  get transaction(): bigint {
    return this.#transaction;
  }

  begin(tell: Tell): void {
    this.#depth++;
    if (this.#depth > 1) return;
    this.#transaction = this.server.nextTransaction();
    tell({ of: 'begin', transaction: this.#transaction });
  }

  commit(tell: Tell): void {
    if (this.#depth === 0) {
      throw new SqlError(3902, 'The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.');
    }
    if (this.doomed) throw cannotCommit();
    if (this.#depth > 1) {
      this.#depth--;
      return;
    }
    for (const database of this.#open.values()) database.commit();
    this.#ended('commit', tell);
  }

  /** Rolls everything back. */
  rollback(tell: Tell): void {
    if (this.#depth === 0) {
      throw new SqlError(3903, 'The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.');
    }
    for (const database of this.#open.values()) database.rollback();
    this.#ended('rollback', tell);
  }

  #ended(of: 'commit' | 'rollback', tell: Tell): void {
    const transaction = this.#transaction;
    this.#depth = 0;
    this.#transaction = 0n;
    this.#savepoints = [];
    this.#createdTypes.clear();
    this.doomed = false;
    this.server.releaseNamedLocks(this, 'transaction');
    tell({ of, transaction });
  }

  save(name: string): void {
    if (this.#depth === 0)
      throw new SqlError(628, 'Cannot issue SAVE TRANSACTION when there is no active transaction.', { state: 0 });
    if (this.doomed) throw cannotCommit();
    if (name.length > MAX_SAVEPOINT_NAME) {
      const head = name.slice(0, MAX_SAVEPOINT_NAME);
      const text = `The identifier that starts with '${head}' is too long. Maximum length is ${MAX_SAVEPOINT_NAME}.`;
      throw new SqlError(103, text, { severity: 15, state: 2 });
    }
    const index = this.#savepoints.push(name) - 1;
    for (const database of this.#open.values()) database.save(index);
  }

  /** Rolls back to a savepoint; false when there is none of that name. */
  rollbackTo(name: string): boolean {
    const index = this.#savepoints.findLastIndex((savepoint) => savepoint.toLowerCase() === name.toLowerCase());
    if (index === -1) return false;
    if (this.doomed) throw cannotCommit();
    for (const database of this.#open.values()) database.rollbackTo(index);
    this.#savepoints.length = index + 1;
    return true;
  }

  /** A type made in the open transaction: whoever else asks for it waits, even the same session. */
  createdType(name: string): void {
    if (this.open) this.#createdTypes.add(name);
  }

  locksType(name: string): boolean {
    return this.#createdTypes.has(name);
  }

  prepare(sql: string, parameters: string): number {
    const handle = this.#nextHandle++;
    this.prepared.set(handle, { sql, parameters });
    return handle;
  }

  /** What a pool asks for when it hands the connection on: everything as after the login. */
  reset(keepTransaction: boolean, tell: Tell): void {
    if (!keepTransaction && this.open) this.rollback(tell);
    this.options = keepTransaction ? { ...DEFAULTS, isolation: this.options.isolation } : { ...DEFAULTS };
    this.rowCount = 0;
    this.errorNumber = 0;
    this.scopeIdentity = null;
    this.context.clear();
    this.prepared.clear();
    this.temporary.dropAll();
    this.server.releaseNamedLocks(this, 'session');
    if (this.#database !== this.#loginDatabase) this.use(this.#loginDatabase.name, tell);
    tell({ of: 'reset' });
  }

  /** Closes a database that is to go. */
  forget(database: StandInDatabase): void {
    const open = this.#open.get(database);
    if (open === undefined) return;
    this.temporary.forget(open);
    open.close();
    this.#open.delete(database);
  }

  close(): void {
    if (this.open) this.rollback(() => undefined);
    this.server.releaseNamedLocks(this, 'session');
    for (const database of this.#open.values()) database.close();
    this.#open.clear();
  }

  #functions(database: StandInDatabase): SqliteFunctions {
    const { server } = this;
    const whole = (value: number) => BigInt(value);
    return {
      database: database.name,
      values: {
        system_rowcount: () => whole(this.rowCount),
        rowcount_big: () => whole(this.rowCount),
        system_error: () => whole(this.errorNumber),
        system_trancount: () => whole(this.#depth),
        system_spid: () => whole(this.spid),
        system_identity: () => this.scopeIdentity,
        scope_identity: () => this.scopeIdentity,
        system_lock_timeout: () => whole(this.options.lockTimeoutMs),
        system_version: () => 'SQL Server stand-in of dbmanager (T-SQL on SQLite)',
        system_servername: () => 'stand-in',
        system_options: () => (this.options.xactAbort ? 16_384n : 0n),
        system_nestlevel: () => 0n,
        xact_state: () => (this.#depth === 0 ? 0n : this.doomed ? -1n : 1n),
        suser_sname: () => this.login.user,
        suser_name: () => this.login.user,
        original_login: () => this.login.user,
        user_name: () => 'dbo',
        host_name: () => this.login.hostName,
        app_name: () => this.login.appName,
        error_number: () => (this.caught === undefined ? null : whole(this.caught.number)),
        error_message: () => this.caught?.message ?? null,
        error_severity: () => (this.caught === undefined ? null : whole(this.caught.severity)),
        error_state: () => (this.caught === undefined ? null : whole(this.caught.state)),
        error_line: () => (this.caught === undefined ? null : 1n),
        error_procedure: () => null,
      },
      nextIdentity: (id, seed, increment) => {
        this.scopeIdentity = BigInt(database.nextIdentity(id, seed, increment));
        return this.scopeIdentity;
      },
      databaseId: (name) => {
        const found = name === null ? this.#database : server.database(name);
        return found === undefined ? null : whole(found.settings.id);
      },
      databaseName: (id) => server.databaseById(Number(id))?.name ?? null,
      contextValue: (key) => this.context.get(key) ?? null,
    };
  }
}

export function cannotCommit(): SqlError {
  const text =
    'The current transaction cannot be committed and cannot support operations that write to the log file. Roll back the transaction.';
  return new SqlError(3930, text);
}
