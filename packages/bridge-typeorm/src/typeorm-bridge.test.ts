/** @jest-environment ./test/support/new-york-environment.js */
import { type BridgeTarget, isDbManagerError } from '@dbmanager/core';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  BaseEntity,
  Column,
  type DataSource,
  Entity,
  EntitySchema,
  ManyToOne,
  type MigrationInterface,
  OneToMany,
  PrimaryGeneratedColumn,
  type QueryRunner,
  type Relation,
  Table,
  VersionColumn,
} from 'typeorm';
import {
  ALL_SQL_ENGINES,
  bridgeTarget,
  COCKROACHDB,
  codeOf,
  rejection,
  type SqlDatabase,
  until,
} from '../../../test/support/sql-engines.js';
import { typeormBridge } from './typeorm-bridge.js';
import type { TypeormBridgeOptions } from './typeorm-options.js';

@Entity()
class Author extends BaseEntity {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ unique: true })
  name!: string;

  @Column({ default: 0 })
  amount!: number;

  @Column({ type: 'bigint', nullable: true })
  big!: string | number | bigint | null;

  @Column({ nullable: true, precision: 3 })
  at?: Date;

  @Column({ type: 'simple-json', nullable: true })
  extra?: unknown;

  @VersionColumn()
  version!: number;

  @OneToMany(
    () => Book,
    (book) => book.author,
    { cascade: true },
  )
  books!: Relation<Book>[];
}

@Entity()
class Book {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  title!: string;

  @ManyToOne(
    () => Author,
    (author) => author.books,
    { onDelete: 'CASCADE', lazy: true },
  )
  author!: Promise<Author>;
}

const entities = [Author, Book];

/** What TypeORM says of a data source that is detached; on MySQL in other words. */
const NOT_CONNECTED = expect.stringMatching(/^(?:Driver not Connected|Connection is not established)/);

for (const engine of [...ALL_SQL_ENGINES, COCKROACHDB]) {
  engine.describe('TypeORM', () => {
    let database: SqlDatabase;
    let connection: TestConnection<unknown>;
    let target: BridgeTarget;
    let ds: DataSource;

    const open = (options: TypeormBridgeOptions = { entities }) => typeormBridge.open(target, options);
    const authors = () => ds.getRepository(Author);
    const names = async () => (await authors().find({ order: { id: 'ASC' } })).map(({ name }) => name);

    async function openConnection(options: object = {}): Promise<void> {
      connection = await database.open({ maxOpenConns: 4, acquireTimeoutMs: 5_000, ...options });
      target = bridgeTarget(connection);
      ds = await open();
    }

    async function idle(): Promise<void> {
      await until(() => target.counts.inUse === 0 && target.counts.pending === 0);
    }

    beforeAll(async () => {
      database = await engine.create();
      await openConnection();
      await ds.synchronize();
      await connection.close();
    }, 60_000);

    afterAll(async () => {
      await database?.drop();
    });

    beforeEach(async () => {
      await openConnection();
      await ds.createQueryBuilder().delete().from(Author).execute();
    });

    afterEach(async () => {
      await idle();
      await connection.close();
    });

    describe('repositories', () => {
      it('insert, find, update and remove', async () => {
        const ada = await authors().save({ name: 'ada', amount: 1 });
        await authors().save({ name: 'bob', amount: 2 });
        ada.amount = 5;
        await authors().save(ada);
        await expect(authors().findOneByOrFail({ name: 'ada' })).resolves.toMatchObject({ amount: 5, version: 2 });
        await expect(authors().delete({ name: 'bob' })).resolves.toMatchObject({ affected: 1 });
        await expect(names()).resolves.toEqual(['ada']);
      });

      it('save and load relations', async () => {
        await authors().save({ name: 'ada', books: [{ title: 'notes' }, { title: 'letters' }] });
        const [ada] = await authors().find({ relations: { books: true }, order: { books: { id: 'ASC' } } });
        expect(ada?.books.map(({ title }) => title)).toEqual(['notes', 'letters']);
        const book = await ds.getRepository(Book).findOneByOrFail({ title: 'notes' });
        await expect(book.author).resolves.toMatchObject({ name: 'ada' });
      });

      it('serve active records', async () => {
        await Author.create({ name: 'ada' }).save();
        await expect(Author.countBy({ name: 'ada' })).resolves.toBe(1);
      });

      it('give the same instant and JSON back, far from UTC', async () => {
        const at = new Date('2024-07-01T12:34:56.789Z');
        expect(at.getTimezoneOffset()).toBe(240);
        await authors().save({ name: 'ada', at, extra: { a: [1, null] } });
        const ada = await authors().findOneByOrFail({ name: 'ada' });
        expect(ada.at?.toISOString()).toBe(at.toISOString());
        expect(ada.extra).toEqual({ a: [1, null] });
      });

      it('keep big integers exact', async () => {
        await authors().save({ name: 'ada', big: '9007199254740993' });
        const ada = await authors().findOneByOrFail({ big: '9007199254740993' });
        expect(String(ada.big)).toBe('9007199254740993');
      });

      it('run 64 queries at once on four connections', async () => {
        await authors().save({ name: 'ada' });
        const found = await Promise.all(Array.from({ length: 64 }, () => authors().countBy({ name: 'ada' })));
        expect(found).toEqual(Array.from({ length: 64 }, () => 1));
        expect(connection.lanes.stats().created).toBeLessThanOrEqual(4);
      });

      it('reject with the error of the driver in that of TypeORM, and the connection is used again', async () => {
        await authors().save({ name: 'ada' });
        const error = await rejection(authors().insert({ name: 'ada' }));
        expect(error.name).toBe('QueryFailedError');
        expect(codeOf((error as Error & { readonly driverError: object }).driverError)).toMatch(engine.uniqueViolation);
        expect(isDbManagerError(error)).toBe(false);
        expect(connection.lanes.stats().destroyed).toBe(0);
      });
    });

    describe('transactions', () => {
      it('commit what their callback did, invisible to others until then', async () => {
        await ds.transaction(async (manager) => {
          await manager.save(Author, { name: 'ada' });
          await expect(names()).resolves.toEqual([]);
        });
        await expect(names()).resolves.toEqual(['ada']);
      });

      it('roll back on a throw, with that very error', async () => {
        const failure = new Error('of the application');
        const failing = ds.transaction(async (manager) => {
          await manager.save(Author, { name: 'ada' });
          throw failure;
        });
        await expect(rejection(failing)).resolves.toBe(failure);
        await expect(names()).resolves.toEqual([]);
      });

      it('nest as savepoints, each rolled back alone', async () => {
        await ds.transaction(async (manager) => {
          await manager.save(Author, { name: 'outer' });
          await rejection(
            manager.transaction(async (inner) => {
              await inner.save(Author, { name: 'undone' });
              throw new Error('inner');
            }),
          );
          await manager.transaction((inner) => inner.save(Author, { name: 'kept' }));
        });
        await expect(names()).resolves.toEqual(['outer', 'kept']);
      });

      it('can be begun and ended by hand', async () => {
        const runner = ds.createQueryRunner();
        await runner.startTransaction('SERIALIZABLE');
        await runner.manager.save(Author, { name: 'ada' });
        await runner.rollbackTransaction();
        await runner.startTransaction();
        await runner.manager.save(Author, { name: 'bob' });
        await runner.commitTransaction();
        await runner.release();
        await runner.release();
        await expect(names()).resolves.toEqual(['bob']);
      });

      it('tell at once of a statement outside them that would wait for them', async () => {
        await connection.close();
        await openConnection({ maxOpenConns: 1 });
        const failing = ds.transaction(async (manager) => {
          await manager.save(Author, { name: 'ada' });
          await authors().save({ name: 'bob' });
        });
        await expect(rejection(failing)).resolves.toMatchObject({ code: 'DBM_POOL_DEADLOCK' });
        await expect(names()).resolves.toEqual([]);
      });

      it('left open by a query runner that is released do not reach the next borrower', async () => {
        const runner = ds.createQueryRunner();
        await runner.startTransaction();
        await runner.manager.save(Author, { name: 'ada' });
        await runner.release();
        await expect(names()).resolves.toEqual([]);
      });

      it('give up once, not twice, when no connection is to be had', async () => {
        await connection.close();
        await openConnection({ maxOpenConns: 1, acquireTimeoutMs: 1_000 });
        const other = await target.acquire();
        await expect(rejection(ds.transaction(async () => {}))).resolves.toMatchObject({ code: 'DBM_ACQUIRE_TIMEOUT' });
        expect(connection.lanes.stats().acquireTimeouts).toBe(1);
        other.release();
      });
    });

    describe('streams', () => {
      const stream = (sql: string) => ds.createQueryBuilder().select('n').from(`(${sql})`, 's').stream();

      it('give every row and the connection back', async () => {
        let count = 0;
        for await (const _ of await stream(engine.series(2_000))) count++;
        expect(count).toBe(2_000);
        await idle();
        expect(connection.lanes.stats().destroyed).toBe(0);
      });

      it('left early give the connection back, usable', async () => {
        let count = 0;
        for await (const _ of await stream(engine.series(1_000_000))) if (++count === 10) break;
        await idle();
        await expect(Promise.all(Array.from({ length: 8 }, names))).resolves.toHaveLength(8);
        expect(connection.lanes.stats().destroyed).toBe(0);
      });

      it('that fail half-way give the error and the connection back', async () => {
        const read = async () => {
          for await (const _ of await stream(engine.failingSeries));
        };
        const error = await rejection(read());
        expect(error.message).toMatch(engine.failure);
        await idle();
        await expect(names()).resolves.toEqual([]);
      });
    });

    describe('destroy', () => {
      it('only detaches: the pool and other data sources go on, and initialize attaches it again', async () => {
        const other = await open();
        await ds.destroy();
        await expect(other.getRepository(Author).count()).resolves.toBe(0);
        await expect(rejection(ds.query('select 1'))).resolves.toMatchObject({ message: NOT_CONNECTED });
        expect(connection.lanes.stats().destroyed).toBe(0);
        await ds.initialize();
        await expect(names()).resolves.toEqual([]);
      });

      it('gives back what query runners have borrowed', async () => {
        const runner = ds.createQueryRunner();
        await runner.startTransaction();
        await runner.query(`insert into author (name, version) values ('ada', 1)`);
        await ds.destroy();
        await idle();
        expect(runner.isReleased).toBe(true);
        await ds.initialize();
        await expect(names()).resolves.toEqual([]);
      });
    });

    describe('opening', () => {
      it('that fails gives everything back, and the error', async () => {
        const Broken = new EntitySchema({ name: 'broken', columns: { id: { type: 'no_such_type' as 'int' } } });
        await expect(rejection(open({ entities: [Broken] }))).resolves.toBeInstanceOf(Error);
        await idle();
      });

      it('several entity sets side by side', async () => {
        const one = await open({ entities: [Author, Book], name: 'one' });
        const none = await open({ name: 'none' });
        expect([one.hasMetadata(Author), none.hasMetadata(Author)]).toEqual([true, false]);
      });

      it.each(['type', 'database', 'driver', 'extra', 'poolSize', 'replication'])(
        'refuses the option %s',
        async (option) => {
          const options = { entities, [option]: {} } as TypeormBridgeOptions;
          await expect(rejection(open(options))).resolves.toMatchObject({ code: 'DBM_INVALID_OPTION', option });
        },
      );
    });

    describe('schema', () => {
      const plants = (columns: object) =>
        new EntitySchema<{ id: number }>({
          name: 'plant',
          columns: { id: { type: Number, primary: true }, ...columns },
        });

      // TypeORM asks CockroachDB's own catalogue about tables that there are, which what stands in for it has not.
      const comparable = engine !== COCKROACHDB;

      if (comparable)
        it('is synchronised, and keeps rows', async () => {
          const first = await open({ entities: [plants({})], synchronize: true });
          await first.getRepository('plant').insert({ id: 1 });
          const entity = plants({ added: { type: Number, default: 7 } });
          const second = await open({ entities: [entity], synchronize: true });
          await expect(second.getRepository('plant').find()).resolves.toEqual([{ id: 1, added: 7 }]);
          await second.query('drop table plant');
        });

      class Trees1700000000000 implements MigrationInterface {
        async up(runner: QueryRunner): Promise<void> {
          await runner.createTable(new Table({ name: 'trees', columns: [{ name: 'id', type: 'int' }] }));
        }

        async down(runner: QueryRunner): Promise<void> {
          await runner.dropTable('trees');
        }
      }

      class Failing1700000000001 implements MigrationInterface {
        async up(runner: QueryRunner): Promise<void> {
          await runner.query('create table half (id int)');
          throw new Error('of the migration');
        }

        async down(): Promise<void> {}
      }

      if (comparable)
        it('migrates up and down', async () => {
          const migrated = await open({ migrations: [Trees1700000000000], migrationsRun: true });
          const runner = migrated.createQueryRunner();
          await expect(runner.hasTable('trees')).resolves.toBe(true);
          await migrated.undoLastMigration();
          await expect(runner.hasTable('trees')).resolves.toBe(false);
          await runner.release();
          await migrated.query('drop table migrations');
        });

      it('is left alone by a migration that fails, where DDL can be undone, and so are the settings of the connection', async () => {
        const logged = jest.spyOn(console, 'log').mockReturnValue();
        const opening = open({ migrations: [Failing1700000000001], migrationsRun: true });
        await expect(rejection(opening)).resolves.toMatchObject({ message: 'of the migration' });
        logged.mockRestore();
        await idle();
        const runner = ds.createQueryRunner();
        // MySQL and MariaDB commit before they change the schema.
        await expect(runner.hasTable('half')).resolves.toBe(engine.name === 'mariadb');
        await runner.dropTable('half', true);
        await runner.release();
        await expect(
          rejection(ds.getRepository(Book).insert({ title: 'x', author: { id: 999 } as never })),
        ).resolves.toMatchObject({ message: expect.stringMatching(/foreign key/i) });
        await ds.query('drop table migrations');
      });
    });
  });
}
