import { randomUUID } from 'node:crypto';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { Connection, ConnectionConfiguration } from 'tedious';
import { UrlEndpoint } from './url-endpoint.js';

type Row = Record<string, unknown>;

/** A connection as the server lists it. */
export interface MssqlSession {
  readonly id: number;
  /** `sleeping` for an idle one, `running` for one at work. */
  readonly status: string;
}

/** What a database of tests is made with. */
export interface MssqlDatabaseOptions {
  /**
   * False: readers wait for writers, as SQL Server has it unless told otherwise. True unless said: they see what was
   * committed, and snapshot isolation is allowed.
   */
  readonly readCommittedSnapshot?: boolean;
}

/** Ends the transaction that it runs in with error 1205, by one session alone: it waits for a type that it has made itself. */
export const MSSQL_DEADLOCK =
  'CREATE TYPE dbo.deadlock_type AS TABLE (id INT PRIMARY KEY); ' + `EXEC ('DECLARE @deadlock dbo.deadlock_type')`;

/**
 * Administers a running SQL Server, or stand-in for one, over a short connection of its own for each call, so that nothing
 * it does shows in the pools under test. Needs the package `tedious`.
 */
export class MssqlEndpoint extends UrlEndpoint {
  /** `stand-in`: what runs there is the test kit's own, not SQL Server. */
  readonly kind: 'real' | 'stand-in';

  /** @param url of an administrator, with any database or none. */
  constructor(url: string, kind: 'real' | 'stand-in' = 'real') {
    super(url, 1433, undefined);
    this.kind = kind;
  }

  /** The URL of a database of this server. */
  override url(database = 'master'): string {
    return super.url(database);
  }

  /** The configuration of tedious for a database of this server. */
  tedious(database = 'master', options: ConnectionConfiguration['options'] = {}): ConnectionConfiguration {
    const { host, port, user, password } = this;
    return {
      server: host,
      authentication: { type: 'default', options: { userName: user, password } },
      options: { port, database, trustServerCertificate: true, ...options },
    };
  }

  /** What the server says of its version. */
  async version(): Promise<string> {
    const [row] = await this.query('SELECT @@VERSION AS version');
    return String(row?.version).split('\n', 1)[0] ?? '';
  }

  /** Runs a batch as the administrator; gives the rows of all its results. */
  async query(sql: string, database?: string): Promise<Row[]> {
    const { Connection, Request } = await import('tedious');
    const connection = new Connection(this.tedious(database));
    await connected(connection);
    try {
      return await new Promise((resolve, reject) => {
        const rows: Row[] = [];
        const request = new Request(sql, (error) => (error ? reject(error) : resolve(rows)));
        request.on('row', (columns: { metadata: { colName: string }; value: unknown }[]) => {
          rows.push(Object.fromEntries(columns.map(({ metadata, value }) => [metadata.colName, value])));
        });
        connection.execSqlBatch(request);
      });
    } finally {
      await closed(connection);
    }
  }

  /** Creates an empty database and gives its name, unlike any other unless one is given. */
  async createDatabase(
    name = `test_${randomUUID().replaceAll('-', '')}`,
    { readCommittedSnapshot = true }: MssqlDatabaseOptions = {},
  ): Promise<string> {
    await this.query(`CREATE DATABASE ${bracketed(name)}`);
    if (readCommittedSnapshot) await this.#readCommitted(name);
    return name;
  }

  /** Drops a database and ends the connections that are in it. */
  async dropDatabase(name: string): Promise<void> {
    const [found] = await this.query(`SELECT name FROM sys.databases WHERE name = N'${name.replaceAll("'", "''")}'`);
    if (found === undefined) return;
    await this.killAll(name);
    await this.query(`DROP DATABASE ${bracketed(name)}`);
  }

  /** Connections that clients have open in `database`. */
  async sessions(database: string): Promise<MssqlSession[]> {
    const name = database.replaceAll("'", "''");
    const rows = await this.query(
      `SELECT session_id AS id, status FROM sys.dm_exec_sessions WHERE database_id = DB_ID(N'${name}') AND is_user_process = 1 ORDER BY session_id`,
    );
    return rows.map(({ id, status }) => ({ id, status }) as MssqlSession);
  }

  /** Ends one connection, and waits until it has gone. */
  async kill(id: number): Promise<void> {
    // Ids are given again at once, also to the connections that ask here: the time of the login tells them apart.
    const logins = `SELECT CONVERT(nvarchar(33), login_time, 126) AS at FROM sys.dm_exec_sessions WHERE session_id = ${id}`;
    const [login] = await this.query(logins);
    if (login === undefined) return;
    await this.query(`KILL ${id}`).catch(ignoreUnknownSession);
    while ((await this.query(logins))[0]?.at === login.at);
  }

  /** Ends the connections of `database` with that status, or all; waits until they have gone. Gives their number. */
  async killAll(database: string, status?: 'sleeping' | 'running'): Promise<number> {
    const sessions = await this.sessions(database);
    const chosen = sessions.filter((session) => status === undefined || session.status === status);
    for (const { id } of chosen) await this.kill(id);
    return chosen.length;
  }

  /** Has a database refuse, or take, writes. Ends the connections that are in it, as SQL Server does. */
  async setReadOnly(database: string, readOnly: boolean): Promise<void> {
    const mode = readOnly ? 'READ_ONLY' : 'READ_WRITE';
    await this.query(`ALTER DATABASE ${bracketed(database)} SET ${mode} WITH ROLLBACK IMMEDIATE`);
  }

  /** Has readers see what was committed. A server that knows nothing else cannot be told to. */
  async #readCommitted(name: string): Promise<void> {
    const [row] = await this.query(
      `SELECT is_read_committed_snapshot_on AS done FROM sys.databases WHERE name = N'${name}'`,
    );
    if (row?.done === true) return;
    await this.query(`ALTER DATABASE ${bracketed(name)} SET READ_COMMITTED_SNAPSHOT ON WITH ROLLBACK IMMEDIATE`);
    await this.query(`ALTER DATABASE ${bracketed(name)} SET ALLOW_SNAPSHOT_ISOLATION ON`);
  }
}

function connected(connection: Connection): Promise<void> {
  return new Promise((resolve, reject) => {
    connection.on('error', () => undefined); // its requests tell
    connection.connect((error) => (error ? reject(error) : resolve()));
  });
}

function closed(connection: Connection): Promise<void> {
  return new Promise((resolve) => {
    // The server may have ended it: it tells of its end once.
    if (connection.closed) return resolve();
    connection.once('end', () => resolve());
    connection.close();
  });
}

function bracketed(name: string): string {
  return `[${name.replaceAll(']', ']]')}]`;
}

/** 6106: it has ended by itself meanwhile. */
function ignoreUnknownSession(error: { readonly number?: number }): void {
  if (error.number !== 6106) throw error;
}
