/** @jest-environment ./test/support/new-york-environment.js */
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import type { BridgeTarget } from '@dbmanager/core';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import pg from 'pg';
import { type DataSource, EntitySchema } from 'typeorm';
import { bridgeTarget, POSTGRES, rejection, type SqlDatabase, until } from '../../../test/support/sql-engines.js';
import { typeormBridge } from './typeorm-bridge.js';
import type { TypeormBridgeOptions } from './typeorm-options.js';

interface Thing {
  readonly id: string;
  readonly tags: string[];
  readonly bytes: Buffer;
  readonly at: Date;
  readonly local: Date;
  readonly day: string;
  readonly doc: unknown;
  readonly kind: string;
}

const Thing = new EntitySchema<Thing>({
  name: 'thing',
  columns: {
    id: { type: 'bigint', primary: true },
    tags: { type: 'text', array: true },
    bytes: { type: 'bytea' },
    at: { type: 'timestamptz' },
    local: { type: 'timestamp' },
    day: { type: 'date' },
    doc: { type: 'jsonb' },
    kind: { type: 'enum', enum: ['red', 'blue'] },
  },
});

const TERMINATED = /terminat|EPIPE|ECONNRESET/;

POSTGRES.describe('TypeORM, for what only a server has,', () => {
  let database: SqlDatabase;
  let connection: TestConnection<unknown>;
  let target: BridgeTarget;
  let ds: DataSource;

  const open = (options: TypeormBridgeOptions = {}) => typeormBridge.open(target, options);
  const series = (n: number) => `select pg_backend_pid() as pid, n from generate_series(1, ${n}) n`;

  beforeAll(async () => {
    database = await POSTGRES.create();
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
  });

  it('keeps values of every kind, far from UTC', async () => {
    expect(new Date(2024, 6, 1).getTimezoneOffset()).toBe(240);
    const thing: Thing = {
      id: '9007199254740993',
      tags: ['a', 'b "quoted"'],
      bytes: Buffer.from([0, 255]),
      at: new Date('2024-07-01T12:34:56.789Z'),
      local: new Date('2024-11-03T05:30:00.000Z'),
      day: '2024-07-01',
      doc: { list: [1, null], text: `O'Brien` },
      kind: 'blue',
    };
    const things = await open({ entities: [Thing], synchronize: true });
    await things.getRepository(Thing).insert(thing as object);
    await expect(things.getRepository(Thing).find()).resolves.toEqual([thing]);
  });

  it.each(['url', 'host', 'username', 'ssl', 'applicationName', 'nativeDriver', 'useUTC', 'logNotifications'])(
    'refuses the option %s',
    async (option) => {
      const options = { [option]: 'x' } as TypeormBridgeOptions;
      await expect(rejection(open(options))).resolves.toMatchObject({ code: 'DBM_INVALID_OPTION', option });
    },
  );

  it('gives 64-bit integers as numbers where that is asked for, and nowhere else', async () => {
    const sql = `select 7::int8 as n, '{1,{2}}'::text as t, array[1::int8, null] as list`;
    const asNumbers = await open({ parseInt8: true });
    await expect(asNumbers.query(sql)).resolves.toEqual([{ n: 7, t: '{1,{2}}', list: [1, null] }]);
    await expect(ds.query(sql)).resolves.toEqual([{ n: '7', t: '{1,{2}}', list: ['1', null] }]);
    for await (const row of await asNumbers
      .createQueryBuilder()
      .select('n')
      .from('(select 7::int8 as n)', 's')
      .stream()) {
      expect(row).toEqual({ n: 7 });
    }
    expect(pg.types.getTypeParser(20)('7')).toBe('7');
  });

  it('parses with the types of its own, in transactions too', async () => {
    const types = { getTypeParser: () => (value: string) => `<${value}>` };
    const marked = await open({ types });
    await expect(marked.query('select 1 as n')).resolves.toEqual([{ n: '<1>' }]);
    await expect(marked.transaction((manager) => manager.query('select $1::int as n', [2]))).resolves.toEqual([
      { n: '<2>' },
    ]);
    await expect(ds.query('select 1 as n')).resolves.toEqual([{ n: 1 }]);
  });

  it('never reports a transaction as committed that the server rolled back', async () => {
    const failing = ds.transaction(async (manager) => {
      await rejection(manager.query('select 1 / 0'));
    });
    await expect(rejection(failing)).resolves.toMatchObject({
      name: 'DbManagerError',
      code: 'DBM_TRANSACTION_ABORTED',
    });
  });

  it('says that the outcome is not known when the connection dies during COMMIT', async () => {
    await ds.query('create table slow_commits (id int)');
    await ds.query(`create function dally() returns trigger language plpgsql as
      'begin perform pg_sleep(30); return null; end'`);
    await ds.query(`create constraint trigger dally after insert on slow_commits deferrable initially deferred
      for each row execute function dally()`);
    const committing = rejection(ds.transaction((manager) => manager.query('insert into slow_commits values (1)')));
    const busy = `select pid from pg_stat_activity where query = 'COMMIT' and state = 'active' and datname = current_database()`;
    let pid: number | undefined;
    while (pid === undefined) pid = (await ds.query(busy))[0]?.pid;
    await ds.query('select pg_terminate_backend($1)', [pid]);
    await expect(committing).resolves.toMatchObject({ code: 'DBM_COMMIT_UNKNOWN' });
  });

  it('outlives the death of a connection that is checked out, idle in a transaction', async () => {
    const runner = ds.createQueryRunner();
    await runner.startTransaction();
    const [{ pid }] = await runner.query('select pg_backend_pid() as pid');
    await ds.query('select pg_terminate_backend($1)', [pid]);
    await until(() => runner.isReleased);
    await until(() => target.counts.inUse === 0);
    await expect(rejection(runner.query('select 1'))).resolves.toMatchObject({
      name: 'QueryRunnerAlreadyReleasedError',
    });
    await runner.release();
    await expect(ds.query('select 1 as n')).resolves.toEqual([{ n: 1 }]);
  });

  it('tells the reader of a stream when its connection dies, and frees the pool', async () => {
    const read = async () => {
      let seen = 0;
      const stream = await ds
        .createQueryBuilder()
        .select('*')
        .from(`(${series(100_000)})`, 's')
        .stream();
      for await (const row of stream) {
        if (++seen !== 5) continue;
        await ds.query('select pg_terminate_backend($1)', [(row as unknown as { readonly pid: number }).pid]);
      }
    };
    await expect(rejection(read())).resolves.toMatchObject({ message: expect.stringMatching(TERMINATED) });
    await until(() => target.counts.inUse === 0);
    await expect(ds.query('select 1 as n')).resolves.toEqual([{ n: 1 }]);
  });

  it('gives the connection of a destroyed stream back, whether it has been read or not', async () => {
    for (const read of [0, 3]) {
      const stream = await ds
        .createQueryBuilder()
        .select('*')
        .from(`(${series(100_000)})`, 's')
        .stream();
      for (let row = 0; row < read; row++) stream.read();
      stream.destroy();
      await until(() => target.counts.inUse === 0);
    }
    expect(connection.lanes.stats()).toMatchObject({ dirtyReleases: 0, destroyed: 0 });
  });

  it('closes a stream that is destroyed after its connection has died', async () => {
    const runner = ds.createQueryRunner();
    const stream = (await runner.stream(series(100_000))) as unknown as Readable;
    const failed = new Promise((resolve) => stream.once('error', resolve));
    const [{ pid }] = await once(stream, 'data');
    stream.pause();
    await ds.query('select pg_terminate_backend($1)', [pid]);
    await until(() => runner.isReleased);
    stream.destroy(new Error('by its reader'));
    await expect(failed).resolves.toBeInstanceOf(Error);
  });

  it('gives everything back when it cannot be opened', async () => {
    const { engine } = target;
    let queries = 0;
    const failing: BridgeTarget = Object.create(target, {
      engine: {
        value: {
          ...engine,
          native(source: BridgeTarget) {
            const pool = engine.native?.(source) as pg.Pool;
            const connect = pool.connect.bind(pool) as (callback: (...args: never[]) => void) => void;
            const failOnQuery = (error: Error, client: pg.PoolClient, release: () => void): unknown[] => [
              error,
              client && Object.assign(client, { query: () => Promise.reject(new Error(`query ${++queries}`)) }),
              release,
            ];
            return Object.assign(pool, {
              connect: (callback: (...args: unknown[]) => void) =>
                connect((...args: never[]) =>
                  callback(...failOnQuery(...(args as unknown as Parameters<typeof failOnQuery>))),
                ),
            });
          },
        },
      },
    });
    await expect(rejection(typeormBridge.open(failing))).resolves.toMatchObject({ message: 'query 1' });
    await until(() => target.counts.inUse === 0);
  });

  it('caches results in the database', async () => {
    const cached = await open({ entities: [Thing], cache: true, synchronize: true });
    const query = () => cached.getRepository(Thing).count({ cache: { id: 'things', milliseconds: 60_000 } });
    const before = await query();
    await cached.query('delete from thing');
    await expect(query()).resolves.toBe(before);
  });
});
