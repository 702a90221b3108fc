import { sharedMariadb, sharedPostgres } from '@dbmanager/testkit';
import type { Connection } from 'dbmanager';
import mysql from 'mysql2/promise';
import pg from 'pg';

/** Where a server is, or a proxy before it, and who logs in. */
export interface Place {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Any that is always there. */
  readonly database: string;
}

/** A pool under test. */
export interface Target {
  /** A query that takes so many milliseconds. */
  query(ms: number): Promise<unknown>;
  close(): Promise<unknown>;
}

/** The sizes and limits of a pool of the driver's own. */
export interface OwnLimits {
  readonly max: number;
  /** Of a query. */
  readonly timeoutMs: number;
}

/** An engine whose outages are measured. */
export interface OutageEngine {
  /** The type of connection. */
  readonly name: string;
  readonly title: string;
  /** The driver's own pool, for rows and ratios. */
  readonly alone: string;
  place(): Promise<Place>;
  own(place: Place, limits: OwnLimits): Target;
  /** What {@link Target.query} is through the manager. */
  managed(connection: Connection): Target['query'];
}

const at = ({ host, port, user, password }: Omit<Place, 'database'>, database: string): Place => {
  return { host, port, user, password, database };
};

const pgSleep = (pool: Pick<pg.Pool, 'query'>) => (ms: number) => pool.query('select pg_sleep($1)', [ms / 1_000]);

const POSTGRES: OutageEngine = {
  name: 'postgres',
  title: 'PostgreSQL',
  alone: 'pg-pool',
  place: async () => at(await sharedPostgres(), 'postgres'),
  own(place, { max, timeoutMs }) {
    const pool = new pg.Pool({ ...place, max, query_timeout: timeoutMs });
    pool.on('error', () => {}); // an idle client that dies; the next query makes another
    return { query: pgSleep(pool), close: () => pool.end() };
  },
  managed: (connection) => pgSleep(connection.native()),
};

const MYSQL_SLEEP = 'do sleep(?)';

const MARIADB: OutageEngine = {
  name: 'mariadb',
  title: 'MariaDB',
  alone: 'mysql2 pool',
  place: async () => at(await sharedMariadb(), 'mysql'),
  own(place, { max, timeoutMs }) {
    const pool = mysql.createPool({ ...place, connectionLimit: max });
    // By hand: `pool.query` of mysql2 never gives a connection back whose query has timed out, so that it soon has none.
    const query = async (ms: number) => {
      const connection = await pool.getConnection();
      try {
        await connection.query({ sql: MYSQL_SLEEP, values: [ms / 1_000], timeout: timeoutMs });
      } catch (error) {
        connection.destroy();
        throw error;
      }
      connection.release();
    };
    return { query, close: () => pool.end() };
  },
  managed(connection) {
    const pool = connection.native('mariadb').promise();
    return (ms) => pool.query(MYSQL_SLEEP, [ms / 1_000]);
  },
};

/** Every engine whose outages are measured. */
export const OUTAGE_ENGINES: readonly OutageEngine[] = [POSTGRES, MARIADB];
