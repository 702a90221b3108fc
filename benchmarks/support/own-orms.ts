import { MikroORM } from '@mikro-orm/postgresql';
import type { Connection } from 'dbmanager';
import { drizzle } from 'drizzle-orm/node-postgres';
import knexLibrary from 'knex';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { drizzlePostgresHands } from '../../test/cross-orm/hands/drizzle.ts';
import { knexHands } from '../../test/cross-orm/hands/knex.ts';
import { type KyselyTables, kyselyHands } from '../../test/cross-orm/hands/kysely.ts';
import { forkingHands, MIKRO_ORM_ENTITIES } from '../../test/cross-orm/hands/mikro-orm.ts';
import { pgPoolHands } from '../../test/cross-orm/hands/native.ts';
import { TYPEORM_ENTITIES, typeormHands } from '../../test/cross-orm/hands/typeorm.ts';
import type { Hands } from '../../test/cross-orm/hands.ts';

/** An ORM at work, on a pool of its own or on the shared one. */
export interface OpenOrm {
  readonly hands: Hands;
  close(): Promise<unknown>;
}

/** An ORM that is measured on PostgreSQL. */
export interface MeasuredOrm {
  readonly name: string;
  /** On a pool of its own of at most `max` connections, set up as its documentation shows. */
  own(url: string, max: number): Promise<OpenOrm>;
  shared(connection: Connection): Promise<Hands>;
}

const entities = { typeorm: [...TYPEORM_ENTITIES.postgres], mikroOrm: [...MIKRO_ORM_ENTITIES.postgres] };

const driver: MeasuredOrm = {
  name: 'pg',
  async own(connectionString, max) {
    const pool = new pg.Pool({ connectionString, max });
    return { hands: pgPoolHands(pool), close: () => pool.end() };
  },
  shared: async (connection) => pgPoolHands(connection.native()),
};

const knex: MeasuredOrm = {
  name: 'Knex',
  async own(connection, max) {
    const handle = knexLibrary({ client: 'pg', connection, pool: { min: 0, max } });
    return { hands: knexHands(handle, 'postgres'), close: () => handle.destroy() };
  },
  shared: async (connection) => knexHands(connection.knex(), 'postgres'),
};

const typeorm: MeasuredOrm = {
  name: 'TypeORM',
  async own(url, poolSize) {
    const source = await new DataSource({ type: 'postgres', url, poolSize, entities: entities.typeorm }).initialize();
    return { hands: typeormHands(source.manager, 'postgres'), close: () => source.destroy() };
  },
  async shared(connection) {
    const source = await connection.typeorm({ entities: entities.typeorm });
    return typeormHands(source.manager, 'postgres');
  },
};

const mikroOrm: MeasuredOrm = {
  name: 'MikroORM',
  async own(clientUrl, max) {
    const orm = await MikroORM.init({ clientUrl, pool: { min: 0, max }, entities: entities.mikroOrm });
    return { hands: forkingHands(orm.em, 'postgres'), close: () => orm.close() };
  },
  async shared(connection) {
    const orm = await connection.mikroorm({ entities: entities.mikroOrm });
    return forkingHands(orm.em, 'postgres');
  },
};

const kysely: MeasuredOrm = {
  name: 'Kysely',
  async own(connectionString, max) {
    const dialect = new PostgresDialect({ pool: new pg.Pool({ connectionString, max }) });
    const handle = new Kysely<KyselyTables>({ dialect });
    return { hands: kyselyHands(handle, 'postgres'), close: () => handle.destroy() };
  },
  shared: async (connection) => kyselyHands(connection.kysely<KyselyTables>(), 'postgres'),
};

const drizzleOrm: MeasuredOrm = {
  name: 'Drizzle',
  async own(connectionString, max) {
    const pool = new pg.Pool({ connectionString, max });
    return { hands: drizzlePostgresHands(drizzle(pool)), close: () => pool.end() };
  },
  shared: async (connection) => drizzlePostgresHands(connection.drizzle()),
};

/** The driver by itself, and every ORM. */
export const MEASURED_ORMS: readonly MeasuredOrm[] = [driver, knex, typeorm, mikroOrm, kysely, drizzleOrm];

/** The four of the comparisons of several at once. */
export const FOUR_ORMS: readonly MeasuredOrm[] = [knex, typeorm, mikroOrm, kysely];
