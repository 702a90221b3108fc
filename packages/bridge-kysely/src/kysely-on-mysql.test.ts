/** @jest-environment ./test/support/new-york-environment.js */
import type { Socket } from 'node:net';
import { type BridgeTarget, ConnectionManager, ManagedConnection, type SqlEngine } from '@dbmanager/core';
import { Transaction, TransactionRunner } from '@dbmanager/database';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, jest } from '@jest/globals';
import { type Kysely, sql } from 'kysely';
import { Migrator } from 'kysely/migration';
import {
  bridgeTarget,
  MARIADB,
  rejection,
  SQL_PROVIDERS,
  type SqlDatabase,
  until,
} from '../../../test/support/sql-engines.js';
import { kyselyBridge } from './kysely-bridge.js';
import type { KyselyBridgeOptions } from './kysely-options.js';
import { MysqlConnection } from './mysql-connection.js';
import type { MysqlClient } from './mysql-statements.js';

interface Database {
  accounts: { id: number; n: number };
}

MARIADB.describe('Kysely, for what only MySQL has,', () => {
  let database: SqlDatabase;
  let connection: TestConnection<unknown>;
  let target: BridgeTarget;
  let db: Kysely<Database>;

  const open = (options?: KyselyBridgeOptions) => kyselyBridge.open(target, options) as unknown as Kysely<Database>;

  async function openConnection(options: object = {}): Promise<void> {
    connection = await database.open({ maxOpenConns: 4, acquireTimeoutMs: 5_000, ...options });
    target = bridgeTarget(connection);
    db = open();
  }

  const accounts = () => db.selectFrom('accounts').select(['id', 'n']).orderBy('id').execute();
  const threadOf = async (on: Kysely<Database>) => {
    const { rows } = await sql<{ id: number }>`select connection_id() as id`.execute(on);
    return rows[0]?.id as number;
  };
  const running = async (on: Kysely<Database>, text: string) => {
    const { rows } = await sql`select id from information_schema.processlist where info like ${`${text}%`}`.execute(on);
    return rows.length;
  };

  beforeAll(async () => {
    database = await MARIADB.create();
    await openConnection();
    await sql`create table accounts (id integer primary key, n integer not null)`.execute(db);
    await connection.close();
  });
  afterAll(() => database.drop());

  beforeEach(async () => {
    await openConnection();
    await db.deleteFrom('accounts').execute();
    await db
      .insertInto('accounts')
      .values([
        { id: 1, n: 0 },
        { id: 2, n: 0 },
      ])
      .execute();
  });

  afterEach(async () => {
    await until(() => target.counts.inUse === 0);
    await connection.close();
  });

  it('tells the key that the database has counted up, and how many rows have changed', async () => {
    await sql`create table counted (id bigint unsigned primary key auto_increment, n integer)`.execute(db);
    const insert = (id?: string) =>
      sql`insert into counted values (${id === undefined ? sql`default` : sql.raw(id)}, 1)`.execute(db);
    await expect(insert()).resolves.toMatchObject({ insertId: 1n, numAffectedRows: 1n, rows: [] });
    await expect(insert('9007199254740993')).resolves.toMatchObject({ insertId: 9007199254740993n });
    const update = await sql`update counted set n = if(id = 1, 2, 1)`.execute(db);
    expect(update).toMatchObject({ numAffectedRows: 2n, numChangedRows: 1n });
    expect(update.insertId).toBeUndefined();
    await sql`drop table counted`.execute(db);
  });

  it('returns on MariaDB what an insert asks for', async () => {
    const insert = db.insertInto('accounts').values({ id: 3, n: 7 }).returning(['n']);
    await expect(insert.execute()).resolves.toEqual([{ n: 7 }]);
  });

  it('reads results as its own options say, and no other handle does', async () => {
    const query = sql<object>`select cast('2024-07-01 12:34:56' as datetime) as at, 9007199254740993 as big, 7 as small`;
    const odd = open({
      results: { dateStrings: true, typeCast: ({ name }, next) => (name === 'small' ? 'cast' : next()) },
    });
    expect((await query.execute(odd)).rows).toEqual([
      { at: '2024-07-01 12:34:56', big: '9007199254740993', small: 'cast' },
    ]);
    const own = { at: new Date('2024-07-01T12:34:56Z'), big: '9007199254740993', small: 7 };
    expect(new Date().getTimezoneOffset()).not.toBe(0);
    expect((await query.execute(db)).rows).toEqual([own]);
    const streamed: unknown[] = [];
    for await (const row of odd.selectNoFrom(sql`7`.as('small')).stream()) streamed.push(row);
    expect(streamed).toEqual([{ small: 'cast' }]);
  });

  it('reads the last row of a portion, of a stream shorter than one, and of one that is empty', async () => {
    for (const [length, size] of [
      [4, 2],
      [1, 2],
      [0, 2],
    ] as const) {
      const rows: unknown[] = [];
      const query = db.selectFrom(sql<{ n: number }>`(select seq as n from seq_1_to_4)`.as('s')).select('n');
      for await (const row of query.where('n', '<=', length).stream(size)) rows.push(row);
      expect(rows).toHaveLength(length);
    }
  });

  it('stops a stream on the server when it is left in a transaction, and goes on there', async () => {
    await db.transaction().execute(async (trx) => {
      await trx.insertInto('accounts').values({ id: 3, n: 0 }).execute();
      await readOne(trx);
      await trx.updateTable('accounts').set({ n: 1 }).where('id', '=', 3).execute();
    });
    await expect(accounts()).resolves.toContainEqual({ id: 3, n: 1 });
    expect(connection.lanes.stats()).toMatchObject({ destroyed: 0 });
  });

  it('runs nothing outside a transaction that a deadlock has ended, and does not report it as committed', async () => {
    const touched = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
    const work = (own: 0 | 1, first: number, second: number) =>
      db.transaction().execute(async (trx) => {
        const touch = (id: number) => trx.updateTable('accounts').set({ n: 1 }).where('id', '=', id).execute();
        await touch(first);
        touched[own].resolve();
        await touched[1 - own]?.promise;
        // Its caller takes no notice.
        await touch(second).catch((error) => expect(error).toMatchObject({ errno: 1213 }));
        const late = trx
          .insertInto('accounts')
          .values({ id: 10 + own, n: 0 })
          .execute();
        await late.catch((error) => expect(error).toMatchObject({ code: 'DBM_TRANSACTION_ABORTED' }));
        const reading = async () => {
          for await (const _ of trx.selectFrom('accounts').selectAll().stream());
        };
        await reading().catch((error) => expect(error).toMatchObject({ code: 'DBM_TRANSACTION_ABORTED' }));
      });
    const results = await Promise.allSettled([work(0, 1, 2), work(1, 2, 1)]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const winner = results[0]?.status === 'fulfilled' ? 0 : 1;
    expect(results[1 - winner]).toMatchObject({ reason: { code: 'DBM_TRANSACTION_ABORTED' } });
    await expect(accounts()).resolves.toEqual([
      { id: 1, n: 1 },
      { id: 2, n: 1 },
      { id: 10 + winner, n: 0 },
    ]);
  });

  it('needs no rollback by hand after a COMMIT that did not commit', async () => {
    const trx = await db.startTransaction().execute();
    const deadlock = `begin not atomic signal sqlstate '40001' set mysql_errno = 1213; end`;
    await expect(rejection(sql.raw(deadlock).execute(trx))).resolves.toMatchObject({ errno: 1213 });
    await expect(rejection(trx.commit().execute())).resolves.toMatchObject({ code: 'DBM_TRANSACTION_ABORTED' });
    expect(trx.isRolledBack).toBe(true);
    expect(target.counts.inUse).toBe(0);
    await expect(accounts()).resolves.toHaveLength(2);
  });

  it('says that it does not know when the connection dies in COMMIT, and that it is lost when it died before', async () => {
    const sockets: Socket[] = [];
    const acquire = target.acquire.bind(target);
    jest.spyOn(target, 'acquire').mockImplementation(async (options) => {
      const lease = await acquire(options);
      sockets.push((lease.connection as { stream: Socket }).stream);
      return lease;
    });
    const dying = (die: (socket: Socket) => void) =>
      rejection(
        open()
          .transaction()
          .execute(async (trx) => {
            await trx.updateTable('accounts').set({ n: 1 }).execute();
            die(sockets.at(-1) as Socket);
          }),
      );
    const inCommit = await dying((socket) => {
      const { write } = socket;
      socket.write = (...args: unknown[]) => {
        const sent = Reflect.apply(write, socket, args);
        socket.destroy();
        return sent;
      };
    });
    expect(inCommit).toMatchObject({ code: 'DBM_COMMIT_UNKNOWN' });
    const before = await dying((socket) => socket.destroy());
    expect(before.code).not.toBe('DBM_COMMIT_UNKNOWN');
    expect(before.message).toMatch(/closed state|Connection lost|stream was destroyed/);
  });

  it('lives on when the connection dies under a transaction and a stream', async () => {
    const trx = await db.startTransaction().execute();
    await sql`kill ${sql.raw(String(await threadOf(trx)))}`.execute(db);
    await rejection(sql`select 1`.execute(trx));
    await trx.rollback().execute();
    expect(trx.isRolledBack).toBe(true);

    const reading = db.connection().execute(async (one) => {
      const thread = await threadOf(one);
      for await (const _ of one
        .selectFrom(sql<{ n: number }>`(select seq as n from seq_1_to_10000000)`.as('long'))
        .select('n')
        .stream(10)) {
        await sql`kill ${sql.raw(String(thread))}`.execute(db);
      }
    });
    await expect(rejection(reading)).resolves.toBeInstanceOf(Error);
    await expect(accounts()).resolves.toHaveLength(2);
  });

  it('stops a query on the server without a second connection of the pool', async () => {
    await connection.close();
    await openConnection({ maxOpenConns: 1 });
    const told = jest.spyOn(console, 'error').mockImplementation(() => {}); // Kysely's own, for a query given up
    const thread = await threadOf(db);
    await using watching = await database.open({ maxOpenConns: 1 });
    const observer = kyselyBridge.open(bridgeTarget(watching)) as unknown as Kysely<Database>;
    for (const [inflightQueryAbortStrategy, same] of [
      ['cancel query', true],
      ['kill session', false],
    ] as const) {
      const controller = new AbortController();
      const sleeping = rejection(
        db.selectNoFrom(sql`sleep(60)`.as('slept')).execute({ signal: controller.signal, inflightQueryAbortStrategy }),
      );
      await waitFor(async () => (await running(observer, 'select sleep(60)')) === 1);
      controller.abort(new Error('enough'));
      await expect(sleeping).resolves.toMatchObject({ message: expect.stringContaining('enough') });
      expect((await threadOf(db)) === thread).toBe(same);
    }
    expect(told).toHaveBeenCalledTimes(2);
    told.mockRestore();
  });

  it('closes a connection on which the isolation of a transaction that has not begun is left', async () => {
    const client = {
      query: jest.fn(({ sql: text }: { sql: string }, callback: (error: unknown) => void) =>
        callback(text === 'begin' ? new Error('no') : null),
      ),
      release: jest.fn(),
      destroy: jest.fn(),
    };
    const connect = () =>
      new MysqlConnection(client as unknown as MysqlClient, target, target.engine.sql as SqlEngine<unknown>, undefined);
    const isolated = connect();
    await expect(rejection(isolated.begin({ isolationLevel: 'serializable' }))).resolves.toMatchObject({
      message: 'no',
    });
    await isolated.release();
    expect(client.destroy).toHaveBeenCalledTimes(1);
    const plain = connect();
    await rejection(plain.begin({}));
    await plain.release();
    expect(client.release).toHaveBeenCalledTimes(1);
  });

  it('does not migrate without the lock', async () => {
    await using other = await database.open({ maxOpenConns: 1, queryTimeoutMs: 250 });
    const migrate = (on: Kysely<Database> | Kysely<unknown>, up: () => Promise<void>) =>
      new Migrator({ db: on, provider: { getMigrations: async () => ({ one: { up } }) } }).migrateToLatest();
    const held = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const holder = migrate(db, () => {
      held.resolve();
      return release.promise;
    });
    await held.promise;
    let runs = 0;
    const impatient = kyselyBridge.open(bridgeTarget(other));
    const { error } = await migrate(impatient, async () => void runs++);
    release.resolve();
    expect((await holder).error).toBeUndefined();
    expect(error).toMatchObject({ code: 'DBM_QUERY_FAILED', message: expect.stringContaining('lock for migrations') });
    expect(runs).toBe(0);
    for (const table of ['kysely_migration', 'kysely_migration_lock']) await db.schema.dropTable(table).execute();
  });

  it('does the same in a transaction across ORMs, and keeps DDL out of it', async () => {
    const manager = new ConnectionManager(
      { defaultConnection: undefined, connections: [database.config({ maxOpenConns: 1 })] },
      { providers: SQL_PROVIDERS, createConnection: (setup) => new ManagedConnection(setup) },
    );
    await manager.connect();
    const shared = manager.get('test');
    await new TransactionRunner({ target: shared, Handle: Transaction }).run({}, async (tx) => {
      const bound = tx.use(kyselyBridge) as unknown as Kysely<Database>;
      await readOne(bound);
      const refused = await rejection(sql`create table never (id integer)`.execute(bound));
      expect(refused).toMatchObject({ code: 'DBM_UNSUPPORTED' });
      await bound.insertInto('accounts').values({ id: 3, n: 0 }).execute();
    });
    await manager.close();
    const { created, destroyed } = shared.stats().pool;
    expect({ created, destroyed }).toEqual({ created: 1, destroyed: 1 });
    await expect(accounts()).resolves.toHaveLength(3);
  });
});

/** Reads one row of a result of 5 GB, of which the server must not have sent much then. */
async function readOne(db: Kysely<Database>): Promise<void> {
  const long = sql<{ x: string }>`(select repeat('x', 1000) as x from seq_1_to_5000000)`;
  for await (const { x } of db.selectFrom(long.as('long')).select('x').stream(10)) {
    expect(x).toHaveLength(1000);
    break;
  }
  const { rows } = await sql<{ Value: string }>`show session status like 'Bytes_sent'`.execute(db);
  expect(Number(rows[0]?.Value)).toBeLessThan(1_000_000_000);
}

/** Resolves when `condition` holds. */
async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
}
