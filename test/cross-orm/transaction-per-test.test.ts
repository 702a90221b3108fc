import { TestTransaction, type TransactionPerTestOptions, transactionPerTest } from '@dbmanager/testing';
import * as jest from '@jest/globals';
import { type Connection, ConnectionManager } from 'dbmanager';
import { ALL_SQL_ENGINES, type SqlDatabase } from '../support/sql-engines.js';
import { entry } from './bank.js';
import { databaseHands } from './hands/database.js';
import { drizzleMysqlHands, drizzlePostgresHands, drizzleSqliteHands } from './hands/drizzle.js';
import { knexHands } from './hands/knex.js';
import { type KyselyTables, kyselyHands } from './hands/kysely.js';
import { mikroOrmHands } from './hands/mikro-orm.js';
import { typeormHands } from './hands/typeorm.js';
import { type Hands, TABLES } from './hands.js';
import { engineOf, participantsOn } from './participants.js';

const { afterAll, afterEach, beforeAll, describe, expect, it } = jest;

/** How the code under test asks for each ORM: of the connection, when it needs it. */
const ORMS: Readonly<Record<string, (connection: Connection) => Hands | Promise<Hands>>> = {
  Knex: (connection) => knexHands(connection.knex(), engineOf(connection)),
  TypeORM: async (connection) => typeormHands((await connection.typeorm()).manager, engineOf(connection)),
  MikroORM: async (connection) => mikroOrmHands((await connection.mikroorm()).em, engineOf(connection)),
  Kysely: (connection) => kyselyHands(connection.kysely<KyselyTables>(), engineOf(connection)),
  Drizzle(connection) {
    if (connection.type === 'sqlite') return drizzleSqliteHands(connection.drizzle('sqlite'));
    if (connection.type === 'mariadb') return drizzleMysqlHands(connection.drizzle('mariadb'));
    return drizzlePostgresHands(connection.drizzle());
  },
  Database: (connection) => databaseHands(connection.database(), engineOf(connection)),
};

for (const engine of ALL_SQL_ENGINES) {
  engine.describe('a transaction for each test', () => {
    let database: SqlDatabase;
    let manager: ConnectionManager;
    let outside: ConnectionManager;
    const connection = () => manager.get('test');
    const orms = Object.keys(ORMS).filter((name) => participantsOn(engine).some((each) => each.name === name));
    const seen = async () => (await ask('Database', outside.get('test'))).entries();

    beforeAll(async () => {
      database = await engine.create();
      outside = managerOf(database, {}, false);
      await outside.connect();
      for (const sql of TABLES[engineOf({ type: engine.name })]) await outside.get('test').database().execute(sql);
      manager = managerOf(database, { maxOpenConns: 5, acquireTimeoutMs: 20_000 }, true);
      await manager.connect();
      // As applications do when they start.
      for (const { open } of participantsOn(engine)) await open(connection());
    });
    afterAll(async () => {
      const pool = connection();
      expect(await seen()).toEqual([]);
      await manager.close();
      await outside.close();
      await database.drop();
      expect(pool.stats().pool.destroyed).toBe(pool.stats().pool.created);
    });

    describe('of all ORMs', () => {
      const tx = transactionPerTest(connection, { hooks: jest });

      it.each(orms)('%s finds an empty table, and leaves none of its rows', async (name) => {
        const hands = await ask(name, connection());
        expect(await hands.entries()).toEqual([]);
        await hands.insert(entry(1, name));
        await hands.transaction((inner) => inner.insert(entry(2, name)));
        const failure = new Error('of the test');
        const undone = hands.transaction(async (inner) => {
          await inner.insert(entry(3, name));
          throw failure;
        });
        await expect(undone).rejects.toThrow(failure.message);
        expect((await hands.entries()).map(({ id }) => id)).toEqual([1, 2]);
        // Every other ORM is in the test's transaction too, and nobody else is.
        for (const other of orms) expect(await (await ask(other, connection())).entries()).toHaveLength(2);
        // SQL Server itself would have the outsider wait for the end of the transaction.
        if (engine.name !== 'mssql') expect(await seen()).toEqual([]);
        expect(tx.current.ended).toBe(false);
      });

      it('nests what begins a transaction of the connection, and undoes it alone', async () => {
        const failing = connection().transaction(async (inner) => {
          await inner.knex()('accounts').insert({ id: 1, balance: 1 });
          // Handles of the connection are here those of the nested one.
          expect(await connection().knex()('accounts')).toHaveLength(1);
          throw new Error('of the test');
        });
        await expect(failing).rejects.toThrow('of the test');
        expect(await connection().knex()('accounts')).toEqual([]);
        await connection().transaction({ propagation: 'requires-new' }, (inner) =>
          inner.knex()('accounts').insert({ id: 2, balance: 2 }),
        );
        await connection()
          .database()
          .transaction((inner) => inner.execute('insert into accounts values (3, 3)'));
        expect(await tx.current.query('select id from accounts order by id')).toEqual([{ id: 2 }, { id: 3 }]);
      });

      it('nests what is begun by hand', async () => {
        const kept = await connection().begin();
        await kept.execute('insert into accounts values (1, 1)');
        await expect(connection().database().query('select * from accounts')).rejects.toMatchObject({
          code: 'DBM_UNSUPPORTED',
        });
        await kept.commit();
        {
          await using undone = await connection().begin();
          await undone.execute('insert into accounts values (2, 2)');
        }
        const undone = await connection().begin();
        await undone.execute('insert into accounts values (3, 3)');
        await undone.rollback();
        await undone.rollback();
        await expect(undone.commit()).rejects.toMatchObject({ code: 'DBM_LEASE_RELEASED' });
        expect(await connection().database().query('select id from accounts')).toEqual([{ id: 1 }]);
      });

      it('runs what must run without a transaction as if there were none', async () => {
        const never = connection().transaction({ propagation: 'never' }, async (inner) => inner);
        expect(await never).toBeUndefined();
      });

      it('checks the options of what it nests', async () => {
        const wrong = connection().transaction({ retry: -1 }, async () => 1);
        await expect(wrong).rejects.toMatchObject({ code: 'DBM_INVALID_OPTION', option: 'retry' });
      });
    });

    describe('run by hand', () => {
      let running: TestTransaction | undefined;
      const begin = async (outsideOption: Required<TransactionPerTestOptions>['outside'] = 'refuse') => {
        running = new TestTransaction(connection, outsideOption);
        await running.begin();
        return running;
      };
      afterEach(async () => {
        await running?.rollback();
        running = undefined;
      });

      it('tells of a handle that was made before the test', async () => {
        const before = connection().knex();
        const test = await begin();
        expect(await before('accounts')).toEqual([]);
        expect(await connection().knex()('accounts')).toEqual([]);
        await expect(test.rollback()).rejects.toThrow(
          /^connection "test": 1 of this test's uses of the pool went around/,
        );
      });

      it('says nothing of it where that is allowed', async () => {
        const test = await begin('allow');
        const lease = await connection().acquire({ lane: 'read' });
        lease.release();
        await test.rollback();
      });

      it('refuses a second test at the same time', async () => {
        await begin();
        await expect(new TestTransaction(connection, 'refuse').begin()).rejects.toThrow('tests must run one by one');
      });

      it('has no transaction outside tests, and none of the last test', async () => {
        const test = await begin();
        const { current } = test;
        await test.rollback();
        expect(current.ended).toBe(true);
        expect(() => test.current).toThrow('only inside tests');
        expect(connection().ambientTransaction).toBeUndefined();
      });

      it('refuses a connection whose transactions are not ambient', async () => {
        const test = new TestTransaction(() => outside.get('test'), 'refuse');
        await expect(test.begin()).rejects.toThrow('ambientTransactions: true');
      });
    });
  });
}

async function ask(name: string, connection: Connection): Promise<Hands> {
  const hands = ORMS[name];
  if (hands === undefined) throw new TypeError(`no ORM ${name}`);
  return hands(connection);
}

function managerOf(database: SqlDatabase, options: object, ambientTransactions: boolean): ConnectionManager {
  const config = { defaultConnection: undefined, connections: [database.config(options)] };
  return new ConnectionManager(config, { ambientTransactions });
}
