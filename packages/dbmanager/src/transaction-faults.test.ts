import type { EventEmitter } from 'node:events';
import type { ConnectionConfig } from '@dbmanager/core';
import { Secret } from '@dbmanager/core';
import { postgresProvider } from '@dbmanager/provider-postgres';
import { describeWithPostgres, FaultProxy, testConfig } from '@dbmanager/testkit';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { rejection, until } from '../../../test/support/sql-engines.js';
import type { Connection } from './connection.js';
import { ConnectionManager } from './connection-manager.js';

/** Transactions on a real server that fails at the worst moments. */
describeWithPostgres('Transactions under faults', (postgres) => {
  let database: string;
  let proxy: FaultProxy;
  let manager: ConnectionManager;
  let connection: Connection;

  const open = async (options: object = {}) => {
    await manager?.close();
    const { password, ...place } = postgres().connection();
    const config = testConfig(postgresProvider, {
      ...place,
      password: new Secret(password),
      host: proxy.host,
      port: proxy.port,
      database,
      maxOpenConns: 4,
      acquireTimeoutMs: 5_000,
      ...options,
    }) as ConnectionConfig;
    manager = new ConnectionManager({ defaultConnection: 'test', connections: [config] });
    await manager.connect();
    connection = manager.get('test');
  };
  /** By a connection that has nothing to do with the pool or the proxy. */
  const ids = async () => {
    const rows = await postgres().query('select id from items order by id', [], database);
    return rows.map(({ id }) => id);
  };
  const backend = async (on: {
    query: Connection['database'] extends () => infer D ? (D extends { query: infer Q } ? Q : never) : never;
  }) => {
    const [row] = await on.query<{ pid: number }>('select pg_backend_pid() as pid');
    return row?.pid as number;
  };
  const outcomes = () => connection.stats().transactions.outcomes;

  beforeEach(async () => {
    database = await postgres().createDatabase();
    await postgres().query('create table items (id integer primary key, n integer)', [], database);
    proxy = await FaultProxy.start(postgres());
    await open();
  });

  afterEach(async () => {
    await until(() => connection.counts.inUse === 0);
    await manager.close();
    proxy.close();
    await proxy.untilLive(0);
    await postgres().dropDatabase(database);
  });

  it('a server that goes before COMMIT leaves no doubt: nothing was done', async () => {
    const killed = connection.transaction({ retry: 3 }, async (tx) => {
      await tx.knex()('items').insert({ id: 1 });
      const lost = new Promise<void>((resolve) => {
        manager.events.on('pool', ({ event }) => event === 'lost' && resolve());
      });
      await postgres().query('select pg_terminate_backend($1, 5000)', [await backend(tx)]);
      await lost;
    });
    await expect(rejection(killed)).resolves.toMatchObject({ code: 'DBM_CONNECTION_LOST' });
    await expect(ids()).resolves.toEqual([]);
    expect(outcomes()).toMatchObject({ failed: 1, unknown: 0, committed: 0 });
  });

  it.each([
    ['the answer to COMMIT is lost', 'toClient', [1]],
    ['COMMIT itself is lost', 'toServer', []],
  ] as const)('%s: the outcome is unknown, and the callback is not run again', async (_, direction, rows) => {
    let runs = 0;
    const lost = connection.transaction({ retry: 5 }, async (tx) => {
      runs++;
      await tx.knex()('items').insert({ id: 1 });
      proxy[direction].cutAfterBytes = 0;
    });
    await expect(rejection(lost)).resolves.toMatchObject({ code: 'DBM_COMMIT_UNKNOWN', retryable: false });
    expect(runs).toBe(1);
    await expect(ids()).resolves.toEqual(rows);
    expect(outcomes()).toMatchObject({ unknown: 1, committed: 0 });
    proxy.heal();
    await connection.transaction((tx) => tx.execute('insert into items values (2)'));
  });

  it('a connection that dies after COMMIT changes nothing', async () => {
    await connection.transaction((tx) => tx.knex()('items').insert({ id: 1 }));
    proxy.cut('reset');
    await expect(ids()).resolves.toEqual([1]);
    expect(outcomes()).toMatchObject({ committed: 1 });
  });

  it('the limit stops what an ORM has running, and the connection goes on', async () => {
    await open({ maxOpenConns: 1 });
    const before = await backend(connection.database());
    const startedAt = performance.now();
    const slow = connection.transaction({ timeout: 200 }, async (tx) => {
      await tx.knex().raw('select pg_sleep(60)');
    });
    await expect(rejection(slow)).resolves.toMatchObject({ code: 'DBM_TRANSACTION_TIMEOUT' });
    // Its statement alone would take a minute.
    expect(performance.now() - startedAt).toBeLessThan(30_000);
    await expect(backend(connection.database())).resolves.toBe(before);
    expect(connection.stats().pool.dirtyReleases).toBe(0);
  });

  it('the limit gives up a connection that does not answer any more', async () => {
    const stuck = connection.transaction({ timeout: 200 }, async (tx) => {
      await tx.knex()('items').insert({ id: 1 });
      proxy.blackHole();
      await tx.knex()('items').insert({ id: 2 });
    });
    await expect(rejection(stuck)).resolves.toMatchObject({ code: 'DBM_TRANSACTION_TIMEOUT' });
    expect(connection.counts.inUse).toBe(0);
    proxy.cut('reset');
    await until(() => proxy.live <= 1);
    await expect(connection.knex()('items').count()).resolves.toEqual([{ count: '0' }]);
  });

  it('statements of ORMs that take long do not cost the connection those before them ran on', async () => {
    await connection.transaction(async (tx) => {
      await Promise.all([
        tx.query('select 1'),
        tx.knex().raw('select pg_sleep(1.5)'),
        tx.query('select 2'),
        tx.execute('insert into items values (1)'),
      ]);
    });
    await expect(ids()).resolves.toEqual([1]);
    expect(connection.stats().pool.destroyed).toBe(0);
  });

  it('seeds 2: Retries: those that cannot be put in order are repeated until both are done', async () => {
    await postgres().query('insert into items values (1, 0), (2, 0)', [], database);
    let meeting = 2;
    const met = Promise.withResolvers<void>();
    const increment = (read: number, write: number) =>
      connection.transaction({ isolation: 'serializable', retry: 5 }, async (tx) => {
        const row = await tx.knex()('items').where({ id: read }).first('n');
        if (--meeting === 0) met.resolve();
        await met.promise;
        await tx.execute('update items set n = ? where id = ?', [(row?.n ?? 0) + 1, write]);
      });
    await Promise.all([increment(1, 2), increment(2, 1)]);
    const rows = await postgres().query('select n from items order by n', [], database);
    expect(rows.map(({ n }) => n)).toEqual([1, 2]);
    expect(connection.stats().transactions).toMatchObject({
      outcomes: { committed: 2 },
      retries: { serialization_failure: 1 },
    });
  });

  it('seeds 2: Retries: those that wait for each other are repeated', async () => {
    await postgres().query('insert into items values (1, 0), (2, 0)', [], database);
    let meeting = 2;
    const met = Promise.withResolvers<void>();
    const both = (first: number, second: number) =>
      connection.transaction({ retry: 3 }, async (tx) => {
        await tx.knex()('items').where({ id: first }).increment('n');
        if (--meeting === 0) met.resolve();
        await met.promise;
        await tx.execute('update items set n = n + 1 where id = ?', [second]);
      });
    await Promise.all([both(1, 2), both(2, 1)]);
    const rows = await postgres().query('select n from items', [], database);
    expect(rows.map(({ n }) => n)).toEqual([2, 2]);
    expect(connection.stats().transactions.retries).toEqual({ serialization_failure: 0, deadlock: 1 });
  });

  it('a conflict whose error was swallowed is still known for one', async () => {
    let runs = 0;
    await connection.transaction({ retry: 1 }, async (tx) => {
      if (++runs === 1) {
        await rejection(tx.execute("do $$ begin raise exception 'x' using errcode = '40001'; end $$"));
        return;
      }
      await tx.execute('insert into items values (1)');
    });
    expect(runs).toBe(2);
    await expect(ids()).resolves.toEqual([1]);
    expect(outcomes()).toMatchObject({ failed: 1, committed: 1 });
  });

  it('listeners given to the client of a transaction go with it', async () => {
    await open({ maxOpenConns: 1 });
    const listeners = async () => {
      await using lease = await connection.acquire();
      return (lease.connection as EventEmitter).listenerCount('notice');
    };
    const before = await listeners();
    await connection.transaction(async (tx) => {
      const client = tx.native('postgres');
      const notices: unknown[] = [];
      client.on('notice', ({ message }) => notices.push(message));
      await tx.execute("do $$ begin raise notice 'heard'; end $$");
      expect(notices).toEqual(['heard']);
    });
    await expect(listeners()).resolves.toBe(before);
  });

  it('streams of the driver and of Knex in one transaction', async () => {
    const { default: QueryStream } = await import('pg-query-stream');
    await connection.transaction(async (tx) => {
      let rows = 0;
      for await (const _ of tx.native('postgres').query(new QueryStream('select generate_series(1, 500)'))) rows++;
      for await (const _ of tx.knex().raw('select generate_series(1, 500)').stream()) rows++;
      expect(rows).toBe(1_000);
      const refused = tx.native('postgres').query(new QueryStream('/* x */ commit'));
      const error = await new Promise((resolve) => refused.on('error', resolve).resume());
      expect(error).toMatchObject({ code: 'DBM_UNSUPPORTED' });
      await tx.execute('insert into items values (1)');
    });
    await expect(ids()).resolves.toEqual([1]);
  });
});
