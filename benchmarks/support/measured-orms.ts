import type { EntitySchema } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';
import knexLibrary from 'knex';
import { type Dialect, Kysely } from 'kysely';
import { DataSource } from 'typeorm';
import { knexHands } from '../../test/cross-orm/hands/knex.ts';
import { type KyselyTables, kyselyHands } from '../../test/cross-orm/hands/kysely.ts';
import { forkingHands, MIKRO_ORM_ENTITIES } from '../../test/cross-orm/hands/mikro-orm.ts';
import { TYPEORM_ENTITIES, typeormHands } from '../../test/cross-orm/hands/typeorm.ts';
import type { MeasuredOrm } from './measured-orm.ts';

/** How the ORMs that know several engines are told of one of them. */
export interface OrmDialects {
  readonly engine: 'postgres' | 'mariadb';
  /** The driver by itself. */
  readonly driver: MeasuredOrm;
  readonly knexClient: string;
  /** Initialises a MikroORM of the engine's own package. */
  mikroOrm(options: { clientUrl: string; pool: { min: number; max: number }; entities: EntitySchema[] }): Promise<{
    readonly em: SqlEntityManager;
    close(): Promise<unknown>;
  }>;
  /** Kysely's own dialect, on a new pool of the driver. */
  kysely(url: string, max: number): Dialect;
  /** Drizzle has a library for each engine. */
  readonly drizzle: MeasuredOrm;
}

/** The driver by itself, and every ORM on it. */
export interface MeasuredOrms {
  readonly all: readonly MeasuredOrm[];
  /** The four of the comparisons of several at once. */
  readonly four: readonly MeasuredOrm[];
}

/** What is measured on one engine. */
export function measuredOrms(dialects: OrmDialects): MeasuredOrms {
  const { engine, driver, drizzle } = dialects;
  const entities = { typeorm: [...TYPEORM_ENTITIES[engine]], mikroOrm: [...MIKRO_ORM_ENTITIES[engine]] };

  const knex: MeasuredOrm = {
    name: 'Knex',
    async own(connection, max) {
      const handle = knexLibrary({ client: dialects.knexClient, connection, pool: { min: 0, max } });
      return { hands: knexHands(handle, engine), close: () => handle.destroy() };
    },
    shared: async (connection) => knexHands(connection.knex(), engine),
  };

  const typeorm: MeasuredOrm = {
    name: 'TypeORM',
    async own(url, poolSize) {
      const source = await new DataSource({ type: engine, url, poolSize, entities: entities.typeorm }).initialize();
      return { hands: typeormHands(source.manager, engine), close: () => source.destroy() };
    },
    async shared(connection) {
      const source = await connection.typeorm({ entities: entities.typeorm });
      return typeormHands(source.manager, engine);
    },
  };

  const mikroOrm: MeasuredOrm = {
    name: 'MikroORM',
    async own(clientUrl, max) {
      const orm = await dialects.mikroOrm({ clientUrl, pool: { min: 0, max }, entities: entities.mikroOrm });
      return { hands: forkingHands(orm.em, engine), close: () => orm.close() };
    },
    async shared(connection) {
      const orm = await connection.mikroorm({ entities: entities.mikroOrm });
      return forkingHands(orm.em, engine);
    },
  };

  const kysely: MeasuredOrm = {
    name: 'Kysely',
    async own(url, max) {
      const handle = new Kysely<KyselyTables>({ dialect: dialects.kysely(url, max) });
      return { hands: kyselyHands(handle, engine), close: () => handle.destroy() };
    },
    shared: async (connection) => kyselyHands(connection.kysely<KyselyTables>(), engine),
  };

  const four = [knex, typeorm, mikroOrm, kysely];
  return { all: [driver, ...four, drizzle], four };
}
