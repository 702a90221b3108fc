import { sharedMariadb, sharedPostgres } from '@dbmanager/testkit';
import { MikroORM as MariadbMikroOrm } from '@mikro-orm/mariadb';
import { MikroORM as PostgresMikroOrm } from '@mikro-orm/postgresql';
import { drizzle as drizzleOnMysql } from 'drizzle-orm/mysql2';
import { drizzle as drizzleOnPostgres } from 'drizzle-orm/node-postgres';
import { MysqlDialect, PostgresDialect } from 'kysely';
import mysql from 'mysql2';
import pg from 'pg';
import { drizzleMysqlHands, drizzlePostgresHands } from '../../test/cross-orm/hands/drizzle.ts';
import { mysqlPoolHands, pgPoolHands } from '../../test/cross-orm/hands/native.ts';
import { type MeasuredOrms, measuredOrms } from './measured-orms.ts';

/** A running server, and what the ORMs are measured by there. */
export interface OrmServer {
  createDatabase(): Promise<string>;
  dropDatabase(name: string): Promise<void>;
  query(sql: string, params: readonly unknown[], database: string): Promise<unknown>;
  url(database: string): string;
  /** How many connections clients have open in that database. */
  connections(database: string): Promise<number>;
}

/** An engine that ORMs are measured on. */
export interface OrmEngine {
  readonly name: 'postgres' | 'mariadb';
  readonly title: string;
  readonly orms: MeasuredOrms;
  server(): Promise<OrmServer>;
  /** Has the server look at a table that was filled. */
  analyse(table: string): string;
}

const pgPool = (connectionString: string, max: number) => new pg.Pool({ connectionString, max });
const mysqlPool = (uri: string, connectionLimit: number) => mysql.createPool({ uri, connectionLimit });

const POSTGRES: OrmEngine = {
  name: 'postgres',
  title: 'PostgreSQL',
  analyse: (table) => `vacuum analyze ${table}`,
  async server() {
    const server = await sharedPostgres();
    const connections = async (database: string) => (await server.backends(database)).length;
    return Object.assign(server, { connections });
  },
  orms: measuredOrms({
    engine: 'postgres',
    driver: {
      name: 'pg',
      async own(url, max) {
        const pool = pgPool(url, max);
        return { hands: pgPoolHands(pool), close: () => pool.end() };
      },
      shared: async (connection) => pgPoolHands(connection.native()),
    },
    knexClient: 'pg',
    async mikroOrm(options) {
      const orm = await PostgresMikroOrm.init(options);
      return { em: orm.em, close: () => orm.close() };
    },
    kysely: (url, max) => new PostgresDialect({ pool: pgPool(url, max) }),
    drizzle: {
      name: 'Drizzle',
      async own(url, max) {
        const pool = pgPool(url, max);
        return { hands: drizzlePostgresHands(drizzleOnPostgres(pool)), close: () => pool.end() };
      },
      shared: async (connection) => drizzlePostgresHands(connection.drizzle()),
    },
  }),
};

const MARIADB: OrmEngine = {
  name: 'mariadb',
  title: 'MariaDB',
  analyse: (table) => `analyze table ${table}`,
  async server() {
    const server = await sharedMariadb();
    const connections = async (database: string) => (await server.threads(database)).length;
    return Object.assign(server, { connections });
  },
  orms: measuredOrms({
    engine: 'mariadb',
    driver: {
      name: 'mysql2',
      async own(url, max) {
        const pool = mysqlPool(url, max);
        return { hands: mysqlPoolHands(pool), close: () => pool.promise().end() };
      },
      shared: async (connection) => mysqlPoolHands(connection.native('mariadb')),
    },
    knexClient: 'mysql2',
    async mikroOrm(options) {
      const orm = await MariadbMikroOrm.init(options);
      return { em: orm.em, close: () => orm.close() };
    },
    kysely: (url, max) => new MysqlDialect({ pool: mysqlPool(url, max) }),
    drizzle: {
      name: 'Drizzle',
      async own(url, max) {
        const pool = mysqlPool(url, max);
        return { hands: drizzleMysqlHands(drizzleOnMysql(pool)), close: () => pool.promise().end() };
      },
      shared: async (connection) => drizzleMysqlHands(connection.drizzle('mariadb')),
    },
  }),
};

/** Every engine that ORMs are measured on. */
export const ORM_ENGINES = { postgres: POSTGRES, mariadb: MARIADB } as const;
