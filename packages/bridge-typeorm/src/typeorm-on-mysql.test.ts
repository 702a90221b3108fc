/** @jest-environment ./test/support/new-york-environment.js */
import type { Socket } from 'node:net';
import type { BridgeTarget } from '@dbmanager/core';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, jest } from '@jest/globals';
import { type DataSource, EntitySchema, type QueryRunner } from 'typeorm';
import { bridgeTarget, MARIADB, rejection, type SqlDatabase, until } from '../../../test/support/sql-engines.js';
import { typeormBridge } from './typeorm-bridge.js';
import type { TypeormBridgeOptions } from './typeorm-options.js';

interface Thing {
  readonly id: string;
  readonly price: string;
  readonly bytes: Buffer;
  readonly at: Date;
  readonly local: Date;
  readonly day: string;
  readonly time: string;
  readonly doc: unknown;
  readonly kind: string;
  readonly flags: string[];
  readonly on: boolean;
}

const Thing = new EntitySchema<Thing>({
  name: 'thing',
  columns: {
    id: { type: 'bigint', primary: true },
    price: { type: 'decimal', precision: 30, scale: 2 },
    bytes: { type: 'blob' },
    at: { type: 'timestamp', precision: 3 },
    local: { type: 'datetime', precision: 3 },
    day: { type: 'date' },
    time: { type: 'time' },
    doc: { type: 'json' },
    kind: { type: 'enum', enum: ['red', 'blue'] },
    flags: { type: 'set', enum: ['x', 'y', 'z'] },
    on: { type: 'boolean' },
  },
});

const THING: Thing = {
  id: '9007199254740993',
  price: '1234567890123456789012345678.50',
  bytes: Buffer.from([0, 255]),
  at: new Date('2024-07-01T12:34:56.789Z'),
  local: new Date('2024-11-03T05:30:00.123Z'),
  day: '2024-03-10',
  time: '23:59:01',
  doc: { list: [1, null], text: `O'Brien` },
  kind: 'blue',
  flags: ['x', 'z'],
  on: true,
};

/** More than sockets hold. */
const SERIES = "select seq as n, repeat('x', 1000) as filler from seq_1_to_20000";

/** What a query runner gives as its connection. */
interface Lent {
  readonly stream: Socket;
  readonly threadId: number;
}

MARIADB.describe('TypeORM, for what only MySQL has,', () => {
  let database: SqlDatabase;
  let connection: TestConnection<unknown>;
  let target: BridgeTarget;
  let ds: DataSource;

  const open = (options: TypeormBridgeOptions = {}) => typeormBridge.open(target, options);
  const lentTo = async (runner: QueryRunner): Promise<Lent> => runner.connect();

  beforeAll(async () => {
    database = await MARIADB.create();
  }, 60_000);

  afterAll(async () => {
    await database?.drop();
  });

  beforeEach(async () => {
    connection = await database.open({ maxOpenConns: 2, acquireTimeoutMs: 5_000 });
    target = bridgeTarget(connection);
    ds = await open();
  });

  afterEach(async () => {
    await until(() => target.counts.inUse === 0 && target.counts.pending === 0);
    await connection.close();
    const { created, destroyed } = connection.lanes.stats();
    expect(destroyed).toBe(created);
  });

  it.each([
    ['as they are read', {}],
    ['with every date as text', { dateStrings: true }],
    ['with integers as numbers where they are exact', { bigNumberStrings: false }],
  ])('keeps values of every kind, far from UTC, %s', async (_, options: TypeormBridgeOptions) => {
    expect(THING.at.getTimezoneOffset()).toBe(240);
    const things = await open({ entities: [Thing], synchronize: true, ...options });
    await things.getRepository(Thing).clear();
    await things.getRepository(Thing).insert(THING as object);
    const [found] = await things.getRepository(Thing).find();
    // Of a timestamp TypeORM does not make a Date.
    const at = options.dateStrings === true ? '2024-07-01 12:34:56.789' : THING.at;
    expect(found).toEqual({ ...THING, at });
    const days = await things.query('select day, local from thing where local = ?', [THING.local]);
    const local = options.dateStrings === true ? '2024-11-03 05:30:00.123' : THING.local;
    expect(days).toEqual([{ day: THING.day, local }]);
  });

  it('reads results as each data source is told, in transactions too, and nobody else as that', async () => {
    const sql = "select count(*) as n, date '2024-03-10' as day from seq_1_to_7";
    const [before] = await ds.query(sql);
    expect(before).toEqual({ n: '7', day: '2024-03-10' });
    const other = await open({ bigNumberStrings: false, dateStrings: false });
    const numbers = { n: 7, day: new Date('2024-03-10T00:00:00Z') };
    await expect(other.query(sql)).resolves.toEqual([numbers]);
    await expect(other.transaction((manager) => manager.query(sql))).resolves.toEqual([numbers]);
    const runner = other.createQueryRunner();
    for await (const row of await runner.stream(sql)) expect(row).toEqual(numbers);
    await runner.release();
    await expect(ds.query(sql)).resolves.toEqual([before]);
  });

  it("gives a query runner's connection with mysql2's whole API", async () => {
    const runner = ds.createQueryRunner();
    const lent = await runner.connect();
    const [rows] = await lent.promise().execute('select ? as n', ['seven']);
    expect(rows).toEqual([{ n: 'seven' }]);
    const query = { sql: 'select 1 + 0 as n', rowsAsArray: true, bigNumberStrings: false };
    expect((await lent.promise().query(query))[0]).toEqual([[1]]);
    await runner.release();
  });

  it.each([
    'url',
    'host',
    'socketPath',
    'ssl',
    'charset',
    'timezone',
    'connectTimeout',
    'acquireTimeout',
    'supportBigNumbers',
    'multipleStatements',
    'flags',
    'types',
    'parseInt8',
  ])('refuses the option %s', async (option) => {
    const options = { [option]: 'x' } as TypeormBridgeOptions;
    await expect(rejection(open(options))).resolves.toMatchObject({ code: 'DBM_INVALID_OPTION', option });
  });

  it('never reports a transaction as committed that a deadlock has undone, and runs nothing outside of it', async () => {
    await ds.query('create table written (n int)');
    const deadlock = `begin not atomic signal sqlstate '40001' set mysql_errno = 1213; end`;
    const failing = ds.transaction(async (manager) => {
      await manager.query('insert into written values (1)');
      await rejection(manager.query(deadlock));
      await rejection(manager.query('insert into written values (2)'));
    });
    await expect(rejection(failing)).resolves.toMatchObject({
      name: 'DbManagerError',
      code: 'DBM_TRANSACTION_ABORTED',
    });
    await expect(ds.query('select n from written')).resolves.toEqual([]);
  });

  it('says that the outcome is not known when the connection dies in COMMIT, and that it is lost when before', async () => {
    const dying = (die: (socket: Socket) => void) =>
      rejection(
        ds.transaction(async ({ queryRunner }) => {
          die((await lentTo(queryRunner as QueryRunner)).stream);
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
    expect(inCommit).toMatchObject({ name: 'CommitUnknownError', code: 'DBM_COMMIT_UNKNOWN', connectionName: 'test' });
    const before = await dying((socket) => socket.destroy());
    expect(before).toMatchObject({ name: 'QueryFailedError' });
  });

  it('tells the reader of a stream when its connection dies, and frees the pool', async () => {
    const read = async () => {
      let seen = 0;
      const stream = await ds.createQueryBuilder().select('*').from(`(${SERIES})`, 's').stream();
      for await (const _ of stream) {
        if (++seen !== 5) continue;
        const threads = 'select id from information_schema.processlist where info like ? and id <> connection_id()';
        const [{ id }] = await ds.query(threads, ['%seq_1_to_20000%']);
        await ds.query(`kill ${id}`);
      }
    };
    await expect(rejection(read())).resolves.toMatchObject({ code: 'PROTOCOL_CONNECTION_LOST' });
    await until(() => target.counts.inUse === 0);
    await expect(ds.query('select 1 as n')).resolves.toEqual([{ n: 1 }]);
  });

  it('gives the connection of a destroyed stream back, whether it has been read or not', async () => {
    for (const read of [0, 3]) {
      const stream = await ds.createQueryBuilder().select('*').from(`(${SERIES})`, 's').stream();
      for (let row = 0; row < read; row++) stream.read();
      stream.destroy();
      await until(() => target.counts.inUse === 0);
    }
    expect(connection.lanes.stats()).toMatchObject({ dirtyReleases: 0, destroyed: 0 });
  });

  it('gives a connection back that arrives after its query runner was released', async () => {
    const runner = ds.createQueryRunner();
    const connecting = lentTo(runner);
    await runner.release();
    await connecting;
    await until(() => target.counts.inUse === 0);
  });

  it('switches foreign keys on again when clearing the database fails', async () => {
    await ds.query('create table kept (n int)');
    const runner = ds.createQueryRunner();
    const { query } = runner;
    const failing = jest.spyOn(runner, 'query').mockImplementation((sql, ...rest) => {
      if (/^drop table/i.test(sql)) return Promise.reject(new Error('of the drop'));
      return query.call(runner, sql, ...rest) as Promise<never>;
    });
    await expect(rejection(runner.clearDatabase())).resolves.toMatchObject({ message: 'of the drop' });
    failing.mockRestore();
    await expect(runner.query('select @@foreign_key_checks as checks')).resolves.toEqual([{ checks: '1' }]);
    await runner.release();
    await ds.dropDatabase();
    const left = ds.createQueryRunner();
    await expect(left.hasTable('kept')).resolves.toBe(false);
    await left.release();
  });

  it('gives everything back when it cannot be opened', async () => {
    const { engine } = target;
    const failing: BridgeTarget = Object.create(target, {
      engine: {
        value: {
          ...engine,
          native(source: BridgeTarget) {
            const pool = engine.native?.(source) as { getConnection(callback: (...args: never[]) => void): void };
            const getConnection = pool.getConnection.bind(pool) as (callback: (...args: unknown[]) => void) => void;
            const query = (...args: unknown[]) => (args.at(-1) as (error: Error) => void)(new Error('of the query'));
            return Object.assign(pool, {
              getConnection: (callback: (...args: unknown[]) => void) =>
                getConnection((error, lent) => callback(error, Object.assign(lent as object, { query }))),
            });
          },
        },
      },
    });
    await expect(rejection(typeormBridge.open(failing))).resolves.toMatchObject({ message: 'of the query' });
    await until(() => target.counts.inUse === 0);
  });

  it('refuses in a transaction across ORMs what the server would commit for', async () => {
    const { Transaction, TransactionRunner } = await import('@dbmanager/database');
    const across: BridgeTarget = Object.create(target, { opened: { value: () => ({ handle: ds, options: {} }) } });
    const runner = new TransactionRunner({ target: across, Handle: Transaction });
    const error = await rejection(
      runner.run({}, async (tx) => tx.use(typeormBridge).query('create table sneaked (n int)')),
    );
    expect(error).toMatchObject({ code: 'DBM_UNSUPPORTED', message: expect.stringContaining('CREATE TABLE') });
  });

  it('caches results in the database', async () => {
    const cached = await open({ entities: [Thing], cache: true, synchronize: true });
    const query = () => cached.getRepository(Thing).count({ cache: { id: 'things', milliseconds: 60_000 } });
    const before = await query();
    await cached.query('delete from thing');
    await expect(query()).resolves.toBe(before);
  });
});
