import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SqlError } from '../sql-error.js';
import { dateTimeText, now } from '../temporal.js';
import type { Login } from '../wire/login7.js';
import { type DatabaseSettings, type OpenSqlite, StandInDatabase } from './database.js';
import { NamedLocks } from './named-locks.js';
import type { ServerControl } from './server-control.js';
import { Session, type SessionServer } from './session.js';
import type { SystemTables } from './system-tables.js';

/** What is kept over a restart. */
interface Kept {
  databases: DatabaseSettings[];
  logins: Record<string, string>;
}

/** A client that a session belongs to. */
export interface SessionClient {
  /** Ends the connection, telling the client why if something runs. */
  end(reason: SqlError): void;
}

const FIRST_SPID = 51;
/** It is a smallint. */
const LAST_SPID = 32_767;
const SYSTEM_DATABASES = ['master', 'tempdb', 'model', 'msdb'];

/** Databases, logins and sessions of one stand-in. */
export class StandInServer implements SessionServer, ServerControl {
  readonly systemTables: SystemTables;
  readonly #folder: string;
  readonly #open: OpenSqlite;
  readonly #kept: Kept;
  readonly #databases = new Map<string, StandInDatabase>();
  readonly #sessions = new Map<Session, SessionClient>();
  #lastSpid = FIRST_SPID - 1;
  readonly #namedLocks = new NamedLocks();
  readonly #stop: () => void;
  #lastTransaction = 0n;

  constructor(folder: string, password: string, open: OpenSqlite, stop: () => void) {
    this.#folder = folder;
    this.#open = open;
    this.#stop = stop;
    this.#kept = this.#load();
    this.#kept.logins.sa = password;
    this.systemTables = this.#tables();
    for (const settings of this.#kept.databases) this.#openDatabase(settings);
    for (const name of SYSTEM_DATABASES) if (this.database(name) === undefined) this.createDatabase(name);
  }

  #load(): Kept {
    const path = this.#path('server.json');
    return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Kept) : { databases: [], logins: {} };
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }

  #openDatabase(settings: DatabaseSettings): void {
    const database = new StandInDatabase(settings, this.#path(`${settings.id}.sqlite`), this.#open);
    this.#databases.set(settings.name.toLowerCase(), database);
  }

  /** Checks user, password and database of a login. Throws error 18456 or 4060. */
  logIn(
    { user, password, database, hostName, appName, clientName, integrated }: Login,
    client: SessionClient,
  ): Session {
    const key = Object.keys(this.#kept.logins).find((name) => name.toLowerCase() === user.toLowerCase());
    if (integrated || key === undefined || this.#kept.logins[key] !== password) {
      throw new SqlError(18_456, `Login failed for user '${user}'.`, { severity: 14 });
    }
    const found = this.database(database === '' ? 'master' : database);
    if (found === undefined) {
      throw new SqlError(4060, `Cannot open database "${database}" requested by the login. The login failed.`, {
        severity: 11,
      });
    }
    const loginTime = dateTimeText(now());
    const session = new Session(this.#freeSpid(), { user: key, hostName, appName, clientName, loginTime }, found, this);
    this.#sessions.set(session, client);
    return session;
  }

  /** Not one that was in use a moment ago: whoever is about to kill that session must not hit another. */
  #freeSpid(): number {
    const taken = new Set([...this.#sessions.keys()].map(({ spid }) => spid));
    do this.#lastSpid = this.#lastSpid < LAST_SPID ? this.#lastSpid + 1 : FIRST_SPID;
    while (taken.has(this.#lastSpid));
    return this.#lastSpid;
  }

  logOut(session: Session): void {
    this.#sessions.delete(session);
    session.close();
  }

  database(name: string): StandInDatabase | undefined {
    return this.#databases.get(name.toLowerCase());
  }

  databaseById(id: number): StandInDatabase | undefined {
    return [...this.#databases.values()].find(({ settings }) => settings.id === id);
  }

  nextTransaction(): bigint {
    return ++this.#lastTransaction;
  }

  releaseNamedLocks(session: Session, owner: 'transaction' | 'session'): void {
    this.#namedLocks.release(session, owner);
  }

  kill(spid: number, by: Session): void {
    if (spid === by.spid) throw new SqlError(6104, 'Cannot use KILL to kill your own process.');
    const found = [...this.#sessions].find(([session]) => session.spid === spid);
    if (found === undefined) throw new SqlError(6106, `Process ID ${spid} is not an active process ID.`);
    this.#end(...found, killed());
  }

  /** The session is gone at once; what it has open, when its client is and nothing runs any more. */
  #end(session: Session, client: SessionClient, reason: SqlError): void {
    this.#sessions.delete(session);
    client.end(reason);
  }

  shutdown(): void {
    this.#stop();
  }

  /** Ends every session: the server is going down. */
  endAll(): void {
    const reason = new SqlError(6005, 'SHUTDOWN is in progress.', { severity: 14 });
    for (const [session, client] of this.#sessions) this.#end(session, client, reason);
  }

  createDatabase(name: string): void {
    if (this.database(name) !== undefined) {
      throw new SqlError(1801, `Database '${name}' already exists. Choose a different database name.`, { state: 3 });
    }
    const id = Math.max(0, ...this.#kept.databases.map((settings) => settings.id)) + 1;
    const settings = { name, id, readOnly: false, readCommittedSnapshot: false, allowSnapshotIsolation: false };
    this.#openDatabase(settings);
    this.#kept.databases.push(settings);
    this.saveSettings();
  }

  dropDatabase(name: string): void {
    const database = this.database(name);
    if (database === undefined) {
      const text = `Cannot drop the database '${name}', because it does not exist or you do not have permission.`;
      throw new SqlError(3701, text, { severity: 11 });
    }
    if ([...this.#sessions.keys()].some((session) => session.database === database)) {
      throw new SqlError(3702, `Cannot drop database "${name}" because it is currently in use.`, { state: 4 });
    }
    this.#databases.delete(name.toLowerCase());
    this.#kept.databases = this.#kept.databases.filter(({ id }) => id !== database.settings.id);
    for (const session of this.#sessions.keys()) session.forget(database);
    for (const suffix of ['', '-wal', '-shm'])
      rmSync(this.#path(`${database.settings.id}.sqlite${suffix}`), { force: true });
    this.saveSettings();
  }

  settings(name: string): DatabaseSettings {
    const database = this.database(name);
    if (database !== undefined) return database.settings;
    throw new SqlError(
      5011,
      `User does not have permission to alter database '${name}', the database does not exist, or the database is not in a state that allows access checks.`,
      { severity: 14 },
    );
  }

  saveSettings(): void {
    writeFileSync(this.#path('server.json'), JSON.stringify(this.#kept));
  }

  endAllBut(name: string, but: Session): void {
    const database = this.database(name);
    for (const [session, client] of this.#sessions) {
      if (session !== but && session.database === database) this.#end(session, client, killed());
    }
  }

  setLogin(name: string, password: string | undefined): void {
    this.#kept.logins[name] = password ?? '';
    this.saveSettings();
  }

  dropLogin(name: string): void {
    delete this.#kept.logins[name];
    this.saveSettings();
  }

  lockNamed(session: Session, name: string, owner: 'transaction' | 'session', timeoutMs: number, signal: AbortSignal) {
    return this.#namedLocks.lock(session, name, owner, timeoutMs, signal);
  }

  unlockNamed(session: Session, name: string): boolean {
    return this.#namedLocks.unlock(session, name);
  }

  #tables(): SystemTables {
    const server = this;
    return {
      'sys.databases': {
        columns: [
          'name',
          'database_id',
          'is_read_only',
          'is_read_committed_snapshot_on',
          'snapshot_isolation_state',
          'state_desc',
          'collation_name',
        ],
        *rows() {
          for (const { settings } of server.#databases.values()) {
            const { name, id, readOnly, readCommittedSnapshot, allowSnapshotIsolation } = settings;
            const flags = [readOnly, readCommittedSnapshot, allowSnapshotIsolation].map((on) => (on ? 1n : 0n));
            yield [name, BigInt(id), ...flags, 'ONLINE', 'SQL_Latin1_General_CP1_CI_AS'];
          }
        },
      },
      'sys.sysdatabases': {
        columns: ['name', 'dbid'],
        *rows() {
          for (const { settings } of server.#databases.values()) yield [settings.name, BigInt(settings.id)];
        },
      },
      'sys.dm_exec_sessions': {
        columns: [
          'session_id',
          'login_time',
          'login_name',
          'original_login_name',
          'host_name',
          'program_name',
          'client_interface_name',
          'status',
          'database_id',
          'open_transaction_count',
          'is_user_process',
          'transaction_isolation_level',
          'lock_timeout',
        ],
        *rows() {
          const levels = ['', 'read uncommitted', 'read committed', 'repeatable read', 'serializable', 'snapshot'];
          for (const { spid, login, running, database, depth, options } of server.#sessions.keys()) {
            const { user, hostName, appName, clientName, loginTime } = login;
            const status = running === undefined ? 'sleeping' : 'running';
            const level = BigInt(levels.indexOf(options.isolation));
            yield [
              BigInt(spid),
              loginTime,
              user,
              user,
              hostName,
              appName,
              clientName,
              status,
              BigInt(database.settings.id),
              BigInt(depth),
              1n,
              level,
              BigInt(options.lockTimeoutMs),
            ];
          }
        },
      },
      'sys.dm_exec_requests': {
        columns: ['session_id', 'status', 'command', 'database_id', 'text'],
        *rows() {
          for (const { spid, running, database } of server.#sessions.keys()) {
            if (running !== undefined)
              yield [
                BigInt(spid),
                'running',
                running.trim().split(/\s/, 1)[0]?.toUpperCase() ?? '',
                BigInt(database.settings.id),
                running,
              ];
          }
        },
      },
    };
  }
}

function killed(): SqlError {
  const text = 'Cannot continue the execution because the session is in the kill state.';
  return new SqlError(596, text, { severity: 21 });
}
