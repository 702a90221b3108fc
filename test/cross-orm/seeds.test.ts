import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { describeWithMariadb, describeWithMongodb, describeWithMssql, describeWithPostgres } from '@dbmanager/testkit';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type Connection, ConnectionManager, type Logger } from 'dbmanager';
import { ALL_SQL_ENGINES, rejection, type SqlDatabase, until } from '../support/sql-engines.js';
import { Bank, entry } from './bank.js';

/** Statements that take a minute, and how somebody else sees whether one still runs; of engines that can be asked. */
const SLEEPS: Readonly<Record<string, { readonly sleep: string; readonly running?: string }>> = {
  postgres: {
    sleep: 'select pg_sleep(60)',
    running: "select pid from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'",
  },
  mariadb: {
    sleep: 'select sleep(60)',
    running: "select id from information_schema.processlist where db = database() and info = 'select sleep(60)'",
  },
  mssql: { sleep: "waitfor delay '00:01:00'" },
};

for (const engine of ALL_SQL_ENGINES) {
  engine.describe('document 4', () => {
    let database: SqlDatabase;
    const managers: ConnectionManager[] = [];

    /** A manager of one connection with these options, to a database of the test's own. */
    async function connect(options: object): Promise<Connection> {
      database ??= await engine.create();
      const manager = new ConnectionManager({ defaultConnection: 'test', connections: [database.config(options)] });
      managers.push(manager);
      await manager.connect();
      return manager.get('test');
    }

    afterEach(async () => {
      for (const manager of managers.splice(0)) {
        await manager.close();
        for (const { pool } of Object.values(manager.stats().connections)) expect(pool.created).toBe(pool.destroyed);
      }
      await (database as SqlDatabase | undefined)?.drop();
      database = undefined as never;
    });

    it('seeds 4: Handles survive: every ORM, and the native handle, go on after a reconnect', async () => {
      await using bank = await Bank.open(engine);
      let id = 1;
      for (const { hands } of bank.open.values()) await hands.insert(entry(id++, 'before'));
      const { generation } = bank.connection.stats().pool;
      await bank.connection.reconnect();
      expect(bank.connection.stats().pool.generation).toBeGreaterThan(generation);
      for (const { hands } of bank.open.values()) {
        await hands.insert(entry(id++, 'after'));
        await hands.transaction((own) => own.deposit(1, 1));
      }
      expect((await bank.seen()).filter((writer) => writer === 'after')).toHaveLength(bank.open.size);
      for (const { hands } of bank.open.values()) await expect(hands.entries()).resolves.toHaveLength(id - 1);
      await bank.idle();
    }, 60_000);

    it('seeds 4: Statistics: of three at once on one connection two have waited, and a reconnect takes nothing back', async () => {
      const connection = await connect({ maxOpenConns: 1 });
      await connection.database().query('select 1 as one');
      const { waitCount } = connection.stats().pool;
      const held = Promise.withResolvers<void>();
      const first = connection.transaction(async (tx) => {
        await tx.query('select 1 as one');
        await held.promise;
      });
      await until(() => connection.counts.inUse === 1);
      const others = [2, 3].map(() => connection.database().query('select 1 as one'));
      await until(() => connection.counts.pending === 2);
      held.resolve();
      await Promise.all([first, ...others]);
      const before = connection.stats().pool;
      expect(before.waitCount - waitCount).toBe(2);
      expect(before.waitDurationMs).toBeGreaterThan(0);
      expect(before).toMatchObject({ max: 1, open: 1, inUse: 0, idle: 1 });
      await connection.reconnect();
      const after = connection.stats().pool;
      for (const counter of ['waitCount', 'waitDurationMs', 'acquired', 'created', 'destroyed'] as const) {
        expect(after[counter]).toBeGreaterThanOrEqual(before[counter]);
      }
    });

    it('seeds 4: Pool limits: a burst opens no more than max_open_conns and leaves max_idle_conns, and lives end', async () => {
      const connection = await connect({ maxOpenConns: 3, maxIdleConns: 1, acquireTimeoutMs: 60_000 });
      const opened: number[] = [];
      await Promise.all(
        Array.from({ length: 20 }, () =>
          connection.transaction(async (tx) => {
            await tx.query('select 1 as one');
            opened.push(connection.stats().pool.open);
          }),
        ),
      );
      expect(Math.max(...opened)).toBeLessThanOrEqual(3);
      await until(() => connection.stats().pool.open <= 1);
      const brief = await connect({ maxOpenConns: 1, connMaxLifetimeMs: 50 });
      while (brief.stats().pool.created < 3) await brief.database().query('select 1 as one');
      await until(() => brief.stats().pool.destroyed >= 2);
    }, 60_000);

    const { sleep, running } = SLEEPS[engine.name] ?? {};
    if (sleep !== undefined) {
      it('seeds 4: Query timeout: the statement is stopped on the server too, and the next one is well', async () => {
        const connection = await connect({ maxOpenConns: 1, queryTimeoutMs: 100 });
        await expect(rejection(connection.database().query(sleep))).resolves.toMatchObject({
          code: 'DBM_QUERY_TIMEOUT',
        });
        await expect(connection.database().query('select 1 as one')).resolves.toEqual([{ one: 1 }]);
        const outside = (await connect({ maxOpenConns: 1 })).database();
        while (running !== undefined && (await outside.query(running)).length > 0);
        expect(connection.stats().pool.inUse).toBe(0);
      });
    }
  });
}

/** A user of a server whose password is hard to write, and what is to be done after it. */
interface HostileUser {
  readonly dsn: URL;
  end(): Promise<unknown>;
}

const PASSWORD = `p@ss w/'"`;

/** Registers the test of a server. */
function dsnOverridesParts(type: string, prepare: (user: string) => Promise<HostileUser>): void {
  it(`seeds 4: dsn overrides parts: a hostile password connects to ${type}, pool and time settings hold, and nothing shows it`, async () => {
    const user = `u${randomUUID().replaceAll('-', '')}`;
    const { dsn, end } = await prepare(user);
    dsn.username = user;
    dsn.password = encodeURIComponent(PASSWORD);
    const told: unknown[] = [];
    const note = (...all: unknown[]) => void told.push(all);
    const logger: Logger = { debug: note, info: note, warn: note, error: note };
    const parts = {
      host: 'nowhere.invalid',
      user: 'nobody',
      password: 'wrong',
      max_open_conns: 3,
      query_timeout: '7s',
    };
    const manager = ConnectionManager.from({ connections: { test: { type, dsn: dsn.href, ...parts } } }, { logger });
    try {
      await manager.connect();
      await manager.get('test').healthCheck();
      expect(manager.stats().connections.test).toMatchObject({ health: { status: 'healthy' }, pool: { max: 3 } });
      expect(manager.get('test').config.options).toMatchObject({ queryTimeoutMs: 7_000 });
    } finally {
      await manager.close();
      await end();
    }
    const shown = inspect([manager, manager.getAll(), told], { depth: 8, showHidden: true });
    for (const form of [PASSWORD, encodeURIComponent(PASSWORD), dsn.password]) expect(shown).not.toContain(form);
  });
}

describe('document 4', () => {
  describeWithPostgres('on postgres', (server) => {
    dsnOverridesParts('postgres', async (user) => {
      await server().query(`create role ${user} login password '${PASSWORD.replaceAll("'", "''")}'`);
      return { dsn: new URL(server().url('postgres')), end: () => server().query(`drop role ${user}`) };
    });
  });

  describeWithMariadb('on mariadb', (server) => {
    dsnOverridesParts('mariadb', async (user) => {
      await server().query(`create user ${user}@'%' identified by ?`, [PASSWORD]);
      return { dsn: new URL(server().url('')), end: () => server().query(`drop user ${user}@'%'`) };
    });
  });

  describeWithMssql('on mssql', (server) => {
    dsnOverridesParts('mssql', async (user) => {
      const literal = `N'${PASSWORD.replaceAll("'", "''")}'`;
      await server().query(`CREATE LOGIN [${user}] WITH PASSWORD = ${literal}, CHECK_POLICY = OFF`);
      const dsn = new URL(server().url('master'));
      dsn.searchParams.set('trustServerCertificate', 'true');
      return { dsn, end: () => server().query(`DROP LOGIN [${user}]`) };
    });
  });

  describeWithMongodb('on mongodb', (server) => {
    dsnOverridesParts('mongodb', async (user) => {
      const database = server().newDatabase();
      await server().setUser(user, PASSWORD, database);
      const dsn = new URL(server().url(database));
      dsn.searchParams.set('authSource', database);
      return { dsn, end: () => server().dropDatabase(database) };
    });
  });
});
