import type { Connection, ConnectionTransaction } from 'dbmanager';
import { databaseHands } from './hands/database.js';
import { drizzlePostgresHands, drizzleSqliteHands } from './hands/drizzle.js';
import { knexHands } from './hands/knex.js';
import { type KyselyTables, kyselyHands } from './hands/kysely.js';
import { forkingHands, MIKRO_ORM_ENTITIES, mikroOrmHands } from './hands/mikro-orm.js';
import { pgHands, pgPoolHands, sqliteHands, sqliteNativeHands } from './hands/native.js';
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
  /** Left out: its own transactions tell how they ended. A driver by itself reports whatever error COMMIT met with. */
  readonly silentOutcome?: boolean;
  /** Opens it, as its users do, by the public handle of the connection. */
  open(connection: Connection): Promise<OpenParticipant>;
  /** Its hands in a transaction of a connection that it is open on. */
  bind(tx: ConnectionTransaction): Hands;
}

const engineOf = ({ type }: { readonly type: string }) => type as EngineName;

const knex: Participant = {
  name: 'Knex',
  async open(connection) {
    const handle = connection.knex();
    return { hands: knexHands(handle, engineOf(connection)), close: () => handle.destroy() };
  },
  bind: (tx) => knexHands(tx.knex(), engineOf(tx)),
};

const kysely: Participant = {
  name: 'Kysely',
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
    if (connection.type === 'sqlite') {
      const handle = connection.native('sqlite');
      return { hands: sqliteNativeHands(handle), close: () => handle.close() };
    }
    const pool = connection.native('postgres');
    return { hands: pgPoolHands(pool), close: () => pool.end() };
  },
  bind(tx) {
    const nest: Hands['transaction'] = (work) => tx.transaction((inner) => work(native.bind(inner)));
    return tx.type === 'sqlite' ? sqliteHands(tx.native('sqlite'), nest) : pgHands(tx.native('postgres'), nest);
  },
};

const drizzle: Participant = {
  name: 'Drizzle',
  async open(connection) {
    if (connection.type === 'sqlite') {
      return { hands: drizzleSqliteHands(connection.drizzle('sqlite')), close: async () => {} };
    }
    const handle = connection.drizzle();
    return { hands: drizzlePostgresHands(handle), close: () => handle.$client.end() };
  },
  bind: (tx) => (tx.type === 'sqlite' ? drizzleSqliteHands(tx.drizzle('sqlite')) : drizzlePostgresHands(tx.drizzle())),
};

const typeorm: Participant = {
  name: 'TypeORM',
  async open(connection) {
    const engine = engineOf(connection);
    const dataSource = await connection.typeorm({ entities: [...TYPEORM_ENTITIES[engine]] });
    return { hands: typeormHands(dataSource.manager, engine), close: () => dataSource.destroy() };
  },
  bind: (tx) => typeormHands(tx.typeorm(), engineOf(tx)),
};

const mikroOrm: Participant = {
  name: 'MikroORM',
  async open(connection) {
    const engine = engineOf(connection);
    const orm = await connection.mikroorm({ entities: [...MIKRO_ORM_ENTITIES[engine]] });
    return { hands: forkingHands(orm.em, engine), close: () => orm.close() };
  },
  bind: (tx) => mikroOrmHands(tx.mikroorm(), engineOf(tx)),
};

/** Everything that runs on the shared pool. */
export const PARTICIPANTS: readonly Participant[] = [knex, typeorm, mikroOrm, kysely, drizzle, database, native];
