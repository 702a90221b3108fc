import { drizzleBridge } from '@dbmanager/bridge-drizzle';
import { knexBridge } from '@dbmanager/bridge-knex';
import { kyselyBridge } from '@dbmanager/bridge-kysely';
import { mikroOrmBridge } from '@dbmanager/bridge-mikro-orm';
import { typeormBridge } from '@dbmanager/bridge-typeorm';
import type { Connection, ConnectionTransaction } from 'dbmanager';
import type { SqlTestEngine } from '../support/sql-engines.js';
import { databaseHands } from './hands/database.js';
import { drizzleMysqlHands, drizzlePostgresHands, drizzleSqliteHands } from './hands/drizzle.js';
import { knexHands } from './hands/knex.js';
import { type KyselyTables, kyselyHands } from './hands/kysely.js';
import { forkingHands, MIKRO_ORM_ENTITIES, mikroOrmHands } from './hands/mikro-orm.js';
import {
  mssqlHands,
  mssqlPoolHands,
  mysqlPoolHands,
  mysqlTransactionHands,
  pgHands,
  pgPoolHands,
  sqliteHands,
  sqliteNativeHands,
} from './hands/native.js';
import { TYPEORM_ENTITIES, typeormHands } from './hands/typeorm.js';
import type { EngineName, Hands } from './hands.js';

/** An ORM that has been opened on a connection. */
export interface OpenParticipant {
  readonly hands: Hands;
  /** The ORM's own end, which only detaches; does nothing where it has none. */
  close(): Promise<unknown>;
}

/** A row of the table of all that can take part in a transaction. */
export interface Participant {
  readonly name: string;
  /** Engines that it runs on. Left out: all that the tests have. */
  readonly types?: readonly string[];
  /** Left out: its own transactions tell how they ended. A driver by itself reports whatever error COMMIT met with. */
  readonly silentOutcome?: boolean;
  /** Left out: its own transactions nest. */
  readonly nests?: boolean;
  /** Opens it, as its users do, by the public handle of the connection. */
  open(connection: Connection): Promise<OpenParticipant>;
  /** Its hands in a transaction of a connection that it is open on. */
  bind(tx: ConnectionTransaction): Hands;
}

/** Whose SQL a connection speaks; for CockroachDB PostgreSQL stands in. */
export const engineOf = ({ type }: { readonly type: string }) =>
  (type === 'cockroachdb' ? 'postgres' : type) as EngineName;

const knex: Participant = {
  name: 'Knex',
  types: knexBridge.types,
  async open(connection) {
    const handle = connection.knex();
    return { hands: knexHands(handle, engineOf(connection)), close: () => handle.destroy() };
  },
  bind: (tx) => knexHands(tx.knex(), engineOf(tx)),
};

const kysely: Participant = {
  name: 'Kysely',
  nests: false,
  types: kyselyBridge.types,
  async open(connection) {
    const handle = connection.kysely<KyselyTables>();
    return { hands: kyselyHands(handle, engineOf(connection)), close: () => handle.destroy() };
  },
  bind: (tx) => kyselyHands(tx.kysely<KyselyTables>(), engineOf(tx)),
};

const database: Participant = {
  name: 'Database',
  open: async (connection) => ({
    hands: databaseHands(connection.database(), engineOf(connection)),
    close: async () => {},
  }),
  bind: (tx) => databaseHands(tx, engineOf(tx)),
};

const native: Participant = {
  name: 'driver',
  silentOutcome: true,
  async open(connection) {
    return NATIVE[engineOf(connection)].open(connection);
  },
  bind(tx) {
    return NATIVE[engineOf(tx)].bind(tx, (work) => tx.transaction((inner) => work(native.bind(inner))));
  },
};

/** Each engine has a driver of its own. */
const NATIVE: Readonly<Record<EngineName, NativeHands>> = {
  postgres: {
    open(connection) {
      const pool = connection.native();
      return { hands: pgPoolHands(pool), close: () => pool.end() };
    },
    bind: (tx, nest) => pgHands(tx.native(), nest),
  },
  mariadb: {
    open(connection) {
      const pool = connection.native('mariadb');
      return { hands: mysqlPoolHands(pool), close: () => pool.promise().end() };
    },
    bind: (tx, nest) => mysqlTransactionHands(tx.native('mariadb'), nest),
  },
  mssql: {
    open(connection) {
      const pool = connection.native('mssql');
      return { hands: mssqlPoolHands(pool), close: async () => pool.close() };
    },
    bind: (tx, nest) => mssqlHands(tx.native('mssql'), nest),
  },
  sqlite: {
    open(connection) {
      const handle = connection.native('sqlite');
      return { hands: sqliteNativeHands(handle), close: () => handle.close() };
    },
    bind: (tx, nest) => sqliteHands(tx.native('sqlite'), nest),
  },
};

interface NativeHands {
  open(connection: Connection): OpenParticipant;
  bind(tx: ConnectionTransaction, nest: Hands['transaction']): Hands;
}

const drizzle: Participant = {
  name: 'Drizzle',
  types: drizzleBridge.types,
  async open(connection) {
    return DRIZZLE[drizzleOf(connection)].open(connection);
  },
  bind: (tx) => DRIZZLE[drizzleOf(tx)].bind(tx),
};

/** Each engine has a Drizzle of its own. */
const DRIZZLE: Readonly<Record<Exclude<EngineName, 'mssql'>, DrizzleHands>> = {
  postgres: {
    open(connection) {
      const handle = connection.drizzle();
      return { hands: drizzlePostgresHands(handle), close: () => handle.$client.end() };
    },
    bind: (tx) => drizzlePostgresHands(tx.drizzle()),
  },
  mariadb: {
    open(connection) {
      const handle = connection.drizzle('mariadb');
      return { hands: drizzleMysqlHands(handle), close: () => handle.$client.promise().end() };
    },
    bind: (tx) => drizzleMysqlHands(tx.drizzle('mariadb')),
  },
  sqlite: {
    open: (connection) => ({ hands: drizzleSqliteHands(connection.drizzle('sqlite')), close: async () => {} }),
    bind: (tx) => drizzleSqliteHands(tx.drizzle('sqlite')),
  },
};

const drizzleOf = (on: { readonly type: string }) => engineOf(on) as keyof typeof DRIZZLE;

interface DrizzleHands {
  open(connection: Connection): OpenParticipant;
  bind(tx: ConnectionTransaction): Hands;
}

const typeorm: Participant = {
  name: 'TypeORM',
  types: typeormBridge.types,
  async open(connection) {
    const engine = engineOf(connection);
    const dataSource = await connection.typeorm({ entities: [...TYPEORM_ENTITIES[engine]] });
    return { hands: typeormHands(dataSource.manager, engine), close: () => dataSource.destroy() };
  },
  bind: (tx) => typeormHands(tx.typeorm(), engineOf(tx)),
};

const mikroOrm: Participant = {
  name: 'MikroORM',
  types: mikroOrmBridge.types,
  async open(connection) {
    const engine = engineOf(connection);
    const orm = await connection.mikroorm({ entities: [...MIKRO_ORM_ENTITIES[engine]] });
    return { hands: forkingHands(orm.em, engine), close: () => orm.close() };
  },
  bind: (tx) => mikroOrmHands(tx.mikroorm(), engineOf(tx)),
};

/** Everything that runs on the shared pool. */
const PARTICIPANTS: readonly Participant[] = [knex, typeorm, mikroOrm, kysely, drizzle, database, native];

/** Those of them that run on the engine. */
export function participantsOn({ name }: Pick<SqlTestEngine, 'name'>): readonly Participant[] {
  return PARTICIPANTS.filter(({ types }) => types?.includes(name) ?? true);
}
