import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { type ConnectionDatabase, ConnectionManager } from 'dbmanager';
import { MARIADB, POSTGRES, type SqlDatabase, type SqlTestEngine } from '../support/sql-engines.js';

const COUNT_UP = 'update items set n = n + 1';

/** What has been prepared on one connection, and runs without its text. */
interface Prepared {
  run(): Promise<unknown>;
  end(): void;
}

const WAYS: readonly (readonly [SqlTestEngine, string, (mgr: ConnectionManager) => Promise<Prepared>])[] = [
  [
    MARIADB,
    'prepare()',
    async (mgr) => {
      const connection = await mgr.get('test').native('mariadb').promise().getConnection();
      const statement = await connection.prepare(COUNT_UP);
      return { run: () => statement.execute([]), end: () => connection.release() };
    },
  ],
  [
    MARIADB,
    'prepare(), and events',
    async (mgr) => {
      const pool = mgr.get('test').native('mariadb');
      const got = Promise.withResolvers<Prepared>();
      pool.getConnection((_, connection) =>
        connection.prepare(COUNT_UP, (_, statement) => {
          const run = () => new Promise((end, fail) => statement.execute([]).on('error', fail).on('end', end));
          got.resolve({ run, end: () => connection.release() });
        }),
      );
      return got.promise;
    },
  ],
  [
    POSTGRES,
    'a name alone',
    async (mgr) => {
      const client = await mgr.get('test').native().connect();
      await client.query({ name: 'count up', text: COUNT_UP });
      return { run: () => client.query({ name: 'count up' } as never), end: () => client.release() };
    },
  ],
];

for (const [engine, way, prepare] of WAYS) {
  engine.describe(`seeds 2: Query cache: a write by ${way}`, () => {
    let files: SqlDatabase;
    let mgr: ConnectionManager;
    let db: ConnectionDatabase;

    beforeAll(async () => {
      files = await engine.create();
    }, 60_000);

    afterAll(() => files?.drop());

    beforeEach(async () => {
      const config = files.config({ cacheEnabled: true });
      mgr = new ConnectionManager({ defaultConnection: 'test', connections: [config] });
      await mgr.connect();
      db = mgr.getDefaultDatabase();
      await db.execute('create table items (n integer not null)');
      await db.execute('insert into items (n) values (0)');
    });

    afterEach(() => mgr.close());

    it('counts each time, for the cache and the metrics', async () => {
      const read = async () => (await db.queryOneOrThrow<{ n: number }>('select n from items', [], { cache: true })).n;
      const updates = () =>
        (mgr.get('test').stats().statements?.series ?? [])
          .filter(({ operation }) => operation === 'UPDATE')
          .reduce((sum, { duration }) => sum + duration.count, 0);
      const prepared = await prepare(mgr);
      try {
        const [n, counted] = [await read(), updates()];
        await prepared.run();
        expect(await read()).toBe(n + 1);
        await prepared.run();
        expect(await read()).toBe(n + 2);
        expect(updates()).toBe(counted + 2);
      } finally {
        prepared.end();
      }
    });
  });
}
