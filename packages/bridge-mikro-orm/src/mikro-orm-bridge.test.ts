import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BridgeTarget, ConnectionManager, DbManagerError, ManagedConnection } from '@dbmanager/core';
import { Transaction, TransactionRunner } from '@dbmanager/database';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type Collection,
  defineEntity,
  type InferEntity,
  IsolationLevel,
  p,
  UniqueConstraintViolationException,
} from '@mikro-orm/core';
import { Migration, Migrator } from '@mikro-orm/migrations';
import { AbstractSqlConnection, type SqlEntityManager } from '@mikro-orm/sql';
import type { ConnectionPool as MssqlPool } from 'mssql';
import type { Pool as MysqlPool } from 'mysql2';
import type { Pool as PgPool } from 'pg';
import {
  COCKROACHDB,
  MARIADB,
  MSSQL,
  rejection,
  SQL_ENGINES,
  SQL_PROVIDERS,
  type SqlDatabase,
  until,
} from '../../../test/support/sql-engines.js';
import { mikroOrmBridge } from './mikro-orm-bridge.js';
import type { SqlMikroOrm } from './mikro-orm-module.js';
import type { MikroOrmBridgeOptions } from './mikro-orm-options.js';

const Author = defineEntity({
  name: 'Author',
  properties: {
    id: p.integer().primary(),
    name: p.string().unique(),
    books: () => p.oneToMany(Book).mappedBy('author'),
  },
});
const Book = defineEntity({
  name: 'Book',
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    author: () => p.manyToOne(Author).deleteRule('cascade'),
  },
});
type IAuthor = InferEntity<typeof Author>;

/** For Kysely. */
interface Tables {
  author: { id: number; name: string };
}

const entities = [Author, Book];

/** What a schema tool switches while it works. */
const SETTINGS: Readonly<Record<string, { readonly change: string; readonly show: string }>> = {
  postgres: { change: 'set session_replication_role = replica', show: 'show session_replication_role' },
  mariadb: { change: 'set foreign_key_checks = 0', show: 'select @@foreign_key_checks as checks' },
};

/** How a statement goes by the driver's own pool, where MikroORM gives one. */
const SELECT_BY_DRIVER: Readonly<Record<string, (pool: never) => Promise<unknown>>> = {
  postgres: async (pool: PgPool) => (await pool.query('select 1 as one')).rows,
  mariadb: async (pool: MysqlPool) => (await pool.promise().query('select 1 as one'))[0],
  mssql: async (pool: MssqlPool) => [...(await pool.query('select 1 as one')).recordset],
};

for (const engine of [...SQL_ENGINES, MARIADB, MSSQL, COCKROACHDB]) {
  engine.describe('MikroORM', () => {
    let database: SqlDatabase;
    let manager: ConnectionManager;
    let connection: ManagedConnection;
    let orm: SqlMikroOrm;

    async function openConnection(options: object = {}): Promise<void> {
      const config = database.config({ maxOpenConns: 4, ...options });
      manager = new ConnectionManager(
        { defaultConnection: undefined, connections: [config] },
        { providers: SQL_PROVIDERS, createConnection: (setup) => new ManagedConnection(setup) },
      );
      await manager.connect();
      connection = manager.get('test');
      orm = await open();
    }

    const open = (options: MikroOrmBridgeOptions = {}, key?: string) =>
      connection.use(mikroOrmBridge, { entities, ...options } as MikroOrmBridgeOptions, key);

    async function closeConnection(): Promise<void> {
      await until(() => connection.counts.inUse === 0 && connection.counts.pending === 0);
      await manager.close();
      const { created, destroyed } = connection.stats().pool;
      expect(destroyed).toBe(created);
    }

    const transact = <T>(work: (em: SqlEntityManager, tx: Transaction) => Promise<T>) =>
      new TransactionRunner({ target: connection, Handle: Transaction }).run({}, (tx) =>
        work(tx.use(mikroOrmBridge), tx),
      );

    const names = async () => {
      const authors = await orm.em.fork().find(Author, {}, { orderBy: { id: 1 } });
      return authors.map(({ name }) => name);
    };

    beforeAll(async () => {
      database = await engine.create();
      await openConnection();
      await orm.schema.create();
      await closeConnection();
    }, 60_000);

    afterAll(async () => {
      await database?.drop();
    });

    beforeEach(async () => {
      await openConnection();
      await orm.em.fork().nativeDelete(Book, {});
      await orm.em.fork().nativeDelete(Author, {});
    });

    afterEach(closeConnection);

    describe('unit of work', () => {
      it('writes what has changed, relations included, in one transaction', async () => {
        const em = orm.em.fork();
        const author = em.create(Author, { id: 1, name: 'Ada' });
        em.create(Book, { id: 1, title: 'Notes', author });
        await em.flush();
        author.name = 'Ada Lovelace';
        await em.flush();
        const found = await orm.em.fork().findOneOrFail(Author, { name: 'Ada Lovelace' }, { populate: ['books'] });
        expect((found.books as Collection<object>).toArray()).toMatchObject([{ title: 'Notes' }]);
      });

      it('writes nothing when a part fails', async () => {
        const em = orm.em.fork();
        em.create(Author, { id: 1, name: 'same' });
        em.create(Author, { id: 2, name: 'same' });
        await expect(rejection(em.flush())).resolves.toBeInstanceOf(UniqueConstraintViolationException);
        await expect(names()).resolves.toEqual([]);
      });

      it('gives SQL to the query builder and to Kysely', async () => {
        const em = orm.em.fork();
        await em.insert(Author, { id: 1, name: 'Ada' });
        await expect(em.createQueryBuilder(Author).select('name').execute()).resolves.toEqual([{ name: 'Ada' }]);
        const rows = await em.getKysely<Tables>().selectFrom('author').selectAll().execute();
        expect(rows).toEqual([{ id: 1, name: 'Ada' }]);
      });
    });

    describe('schema tools', () => {
      it('update a table that others point to, without a touch to their rows', async () => {
        const em = orm.em.fork();
        em.create(Book, { id: 1, title: 'Notes', author: em.create(Author, { id: 1, name: 'Ada' }) });
        await em.flush();
        const Changed = defineEntity({
          name: 'Author',
          properties: {
            id: p.integer().primary(),
            name: p.string().unique().nullable(), // SQLite then rebuilds the table: rows of others would go with the old one
            age: p.integer().nullable(),
            books: () => p.oneToMany(ChangedBook).mappedBy('author'),
          },
        });
        const ChangedBook = defineEntity({
          name: 'Book',
          properties: {
            id: p.integer().primary(),
            title: p.string(),
            author: () => p.manyToOne(Changed).deleteRule('cascade'),
          },
        });
        const changed = await open({ entities: [Changed, ChangedBook] }, 'changed');
        await changed.schema.update();
        await expect(changed.em.fork().find(Changed, {})).resolves.toMatchObject([{ name: 'Ada', age: null }]);
        await expect(changed.em.fork().count(ChangedBook)).resolves.toBe(1);
        await expect(changed.schema.getUpdateSchemaSQL()).resolves.toBe('');
        await orm.schema.update();
        await expect(orm.em.fork().count(Book)).resolves.toBe(1);
      });

      it('migrate up and down', async () => {
        const folder = await mkdtemp(join(tmpdir(), 'dbmanager-mikro-orm-'));
        class First extends Migration {
          override up(): void {
            this.addSql('create table migrated (id integer)');
          }
          override down(): void {
            this.addSql('drop table migrated');
          }
        }
        try {
          const migrating = await open(
            {
              extensions: [Migrator],
              migrations: {
                path: folder,
                silent: true,
                snapshot: false,
                migrationsList: [{ name: 'First', class: First }],
              },
            },
            'migrating',
          );
          await expect(migrating.migrator.up()).resolves.toMatchObject([{ name: 'First' }]);
          await expect(migrating.em.execute('select count(*) as n from migrated')).resolves.toHaveLength(1);
          await expect(migrating.migrator.getPending()).resolves.toEqual([]);
          await migrating.migrator.down();
          await expect(rejection(migrating.em.execute('select * from migrated'))).resolves.toBeInstanceOf(Error);
          await expect(readdir(folder)).resolves.toEqual([]);
          await migrating.em.execute('drop table mikro_orm_migrations');
        } finally {
          await rm(folder, { recursive: true });
        }
      });

      const setting = SETTINGS[engine.name];
      if (setting !== undefined) {
        it('leave no setting behind when they fail', async () => {
          const before = await orm.em.execute(setting.show);
          await rejection(orm.schema.execute(`${setting.change};\n\nselekt;`));
          await expect(orm.em.execute(setting.show)).resolves.toEqual(before);
        });
      }

      if (engine === MARIADB) {
        it('leave no character set behind when they do not', async () => {
          const collation = 'select @@collation_connection as collation';
          const before = await orm.em.execute(collation);
          await expect(orm.schema.getCreateSchemaSQL()).resolves.toMatch(/^set names utf8mb4;/);
          await orm.schema.execute('set names latin1;');
          await expect(orm.em.execute(collation)).resolves.toEqual(before);
        });
      }

      it('refuse to leave the database', async () => {
        for (const leave of ['createDatabase', 'dropDatabase'] as const) {
          await expect(rejection(orm.schema[leave]('other'))).resolves.toMatchObject({ code: 'DBM_UNSUPPORTED' });
        }
        await expect(names()).resolves.toEqual([]);
      });

      it('run a dump of several statements', async () => {
        if (engine === MARIADB) {
          await closeConnection();
          await openConnection({ multipleStatements: true });
        }
        await orm.em.getConnection().executeDump(`create table dumped (id integer); insert into dumped values (1);`);
        await expect(orm.em.execute('select id from dumped')).resolves.toEqual([{ id: 1 }]);
        await orm.em.execute('drop table dumped');
      });
    });

    describe('on the shared pool', () => {
      it('attaches itself again when it is used after its close', async () => {
        await names();
        await orm.close();
        await expect(names()).resolves.toEqual([]);
        await orm.reconnect();
        await expect(orm.isConnected()).resolves.toBe(true);
      });

      it.each([
        ['clientUrl', 'postgresql://localhost/other'],
        ['dbName', 'other'],
        ['driverOptions', {}],
        ['pool', { max: 3 }],
        ['multipleStatements', true],
        ['replicas', []],
        ['onReserveConnection', async () => {}],
        ['sessionContext', 'connection'],
      ])('refuses the option %s', async (option, value) => {
        const options = { entities, [option]: value } as MikroOrmBridgeOptions;
        const error = await rejection(mikroOrmBridge.open(connection as BridgeTarget, options));
        expect(error).toMatchObject({ code: 'DBM_INVALID_OPTION', option });
      });

      it('passes errors of ours on as they are', async () => {
        await closeConnection();
        await openConnection({ maxOpenConns: 1, acquireTimeoutMs: 250 });
        // Connecting may take longer.
        const lease = await connection.acquire({ lane: 'write', timeoutMs: 5_000 });
        const error = await rejection(orm.em.fork().nativeDelete(Book, {}));
        expect(error).toBeInstanceOf(DbManagerError);
        expect(error).toMatchObject({ code: 'DBM_ACQUIRE_TIMEOUT' });
        lease.release();
      });

      it('keeps entity managers of several of it apart', async () => {
        const other = await open({ entities: [Author, Book] }, 'other');
        await orm.em.transactional(async (em) => {
          em.create(Author, { id: 1, name: 'Ada' });
          await em.flush();
          await expect(other.em.fork().count(Author)).resolves.toBe(0);
          await expect(orm.em.count(Author)).resolves.toBe(1);
          expect(other.em.isInTransaction()).toBe(false);
        });
      });

      it('connects nothing by itself', async () => {
        expect(orm.em.getConnection()).toBeInstanceOf(AbstractSqlConnection);
        await names();
        const client = orm.em.getConnection().getNativeClient();
        const select = SELECT_BY_DRIVER[engine.name];
        if (select === undefined) await expect(client).rejects.toThrow(/native client is not available/);
        else await expect(select((await client) as never)).resolves.toEqual([{ one: 1 }]);
      });
    });

    describe('in a transaction across ORMs', () => {
      it('is flushed before the commit', async () => {
        await transact(async (em, tx) => {
          em.persist(em.create(Author, { id: 1, name: 'Ada' }));
          await expect(tx.query('select * from author')).resolves.toEqual([]);
        });
        await expect(names()).resolves.toEqual(['Ada']);
      });

      it('rolls all back when the flush fails', async () => {
        const failed = transact(async (em, tx) => {
          await tx.execute(`insert into author (name) values ('Ada')`);
          em.persist(em.create(Author, { id: 2, name: 'Ada' }));
        });
        await expect(rejection(failed)).resolves.toBeInstanceOf(UniqueConstraintViolationException);
        await expect(names()).resolves.toEqual([]);
      });

      it('is flushed before a nested transaction is kept, and forgets the entities of one that is not', async () => {
        let undone: SqlEntityManager | undefined;
        let lost: IAuthor | undefined;
        await transact(async (em, tx) => {
          em.persist(em.create(Author, { id: 1, name: 'outer' }));
          await tx.transaction(async (inner) => {
            const nested = inner.use(mikroOrmBridge);
            nested.persist(nested.create(Author, { id: 2, name: 'kept' }));
          });
          await expect(tx.query('select name from author')).resolves.toEqual([{ name: 'kept' }]);
          await rejection(
            tx.transaction(async (inner) => {
              undone = inner.use(mikroOrmBridge);
              lost = undone.create(Author, { id: 3, name: 'lost' });
              await undone.persist(lost).flush();
              throw new Error('undone');
            }),
          );
          expect(undone?.getUnitOfWork().getIdentityMap().values()).toEqual([]);
        });
        expect(lost?.id).toBe(3);
        await expect(names()).resolves.toEqual(['outer', 'kept']);
      });

      it('runs the forks there, too, and no less the entity managers of its own nested transactions', async () => {
        await transact(async (em, tx) => {
          await em.fork().insert(Author, { id: 1, name: 'by a fork' });
          await em.transactional(async (inner) => {
            await inner.fork().insert(Author, { id: 2, name: 'by a fork of a nested one' });
            await inner.transactional(async (innermost) => {
              innermost.create(Author, { id: 3, name: 'innermost' });
            });
            await expect(tx.query('select count(*) as n from author')).resolves.toEqual([{ n: expect.anything() }]);
          });
          await expect(names()).resolves.toEqual([]);
          await expect(em.getKysely<Tables>().selectFrom('author').selectAll().execute()).resolves.toHaveLength(3);
        });
        await expect(names()).resolves.toHaveLength(3);
      });

      it('nests by hand, and stays in the transaction after that', async () => {
        await transact(async (em, tx) => {
          await em.begin();
          await em.insert(Author, { id: 1, name: 'undone' });
          const barred = await rejection(tx.query('select 1'));
          expect(barred).toMatchObject({ code: 'DBM_UNSUPPORTED' });
          await em.rollback();
          await em.begin();
          await em.begin();
          await em.insert(Author, { id: 2, name: 'kept' });
          await em.commit();
          await em.commit();
          await em.insert(Author, { id: 3, name: 'after' });
          await expect(names()).resolves.toEqual([]);
        });
        await expect(names()).resolves.toEqual(['kept', 'after']);
      });

      it('does not end it', async () => {
        await transact(async (em) => {
          await em.insert(Author, { id: 1, name: 'Ada' });
          await expect(rejection(em.commit())).resolves.toMatchObject({ code: 'DBM_UNSUPPORTED' });
          await expect(rejection(em.rollback())).resolves.toMatchObject({ code: 'DBM_UNSUPPORTED' });
          await em.insert(Author, { id: 2, name: 'Bob' });
        });
        await expect(names()).resolves.toEqual(['Ada', 'Bob']);
      });

      it.each(['requires_new', 'not_supported'] as const)('refuses the propagation %s', async (propagation) => {
        const left = transact((em) => em.transactional(async () => {}, { propagation }));
        await expect(rejection(left)).resolves.toMatchObject({ code: 'DBM_UNSUPPORTED' });
      });

      it.each([{ isolationLevel: IsolationLevel.SERIALIZABLE }, { readOnly: true }])(
        'refuses %o for a transaction in it',
        async (settings) => {
          await transact(async (em) => {
            const nested = em.transactional(async () => {}, settings);
            await expect(rejection(nested)).resolves.toMatchObject({ code: 'DBM_UNSUPPORTED', connectionName: 'test' });
            await expect(rejection(em.begin(settings))).resolves.toMatchObject({ code: 'DBM_UNSUPPORTED' });
            await em.transactional((inner) => inner.insert(Author, { id: 1, name: 'Ada' }));
          });
          await expect(names()).resolves.toEqual(['Ada']);
        },
      );

      it('joins it by the propagations that do', async () => {
        await transact(async (em) => {
          for (const propagation of ['required', 'supports', 'mandatory'] as const) {
            await em.transactional(async (same) => expect(same).toBe(em), { propagation });
          }
          const never = em.transactional(async () => {}, { propagation: 'never' });
          await expect(rejection(never)).resolves.toBeInstanceOf(Error);
        });
      });

      it('forgets its entities when it is rolled back', async () => {
        let em: SqlEntityManager | undefined;
        const failed = transact(async (bound) => {
          em = bound;
          bound.create(Author, { id: 1, name: 'Ada' });
          await bound.flush();
          throw new Error('no');
        });
        await rejection(failed);
        expect(em?.getUnitOfWork().getIdentityMap().values()).toEqual([]);
        const late = await rejection((em as SqlEntityManager).find(Author, {}));
        expect(late).toMatchObject({ code: 'DBM_LEASE_RELEASED' });
      });

      it('says so when it has not been opened before', async () => {
        const work = new TransactionRunner({ target: connection, Handle: Transaction }).run({}, async (tx) =>
          tx.use(mikroOrmBridge, undefined, 'nowhere'),
        );
        await expect(rejection(work)).resolves.toMatchObject({ code: 'DBM_NOT_CONNECTED' });
      });
    });
  });
}
