import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, type ConfigInput, NotSqlDatabaseError } from '@dbmanager/core';
import { describeWithPostgres, FakeProvider } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { ConnectionManager, type ConnectionManagerOptions, type LoadOptions } from './connection-manager.js';
import { getManager, resetManager, setupManager } from './process-manager.js';

const folder = mkdtempSync(join(tmpdir(), 'dbmanager-umbrella-'));
const open: ConnectionManager[] = [];

const MEMORY = { type: 'sqlite', filepath: ':memory:' };

type Connections = NonNullable<ConfigInput['connections']>;

function manage(connections: Connections, options?: ConnectionManagerOptions): ConnectionManager {
  const mgr = ConnectionManager.from({ connections }, options);
  open.push(mgr);
  return mgr;
}

async function load(yaml: string, options?: LoadOptions): Promise<ConnectionManager> {
  const file = join(folder, 'dbmanager.yaml');
  writeFileSync(file, yaml);
  const mgr = await ConnectionManager.load(file, options);
  open.push(mgr);
  return mgr;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((mgr) => mgr.close()));
  await resetManager();
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('ConnectionManager.load', () => {
  it('gives a manager of the file, whose relative paths start at its folder', async () => {
    const mgr = await load('dbmanager: { connections: { primary: { type: sqlite, filepath: app.db } } }');
    await mgr.connect();
    const [row] = await mgr.getDefaultDatabase().query<{ file: string }>('select file from pragma_database_list');
    expect(row?.file).toBe(join(folder, 'app.db'));
  });

  it('takes the profile and the environment that it is given', async () => {
    const yaml = `dbmanager:
  connections: { primary: { type: sqlite, filepath: ":memory:" } }
  profiles: { ci: { acquire_timeout: 3s } }
`;
    const env = { DBMANAGER_CONNECTIONS_PRIMARY_QUERY_TIMEOUT: '7s' };
    const { options } = (await load(yaml, { profile: 'ci', env })).get('primary').config;
    expect(options).toMatchObject({ acquireTimeoutMs: 3_000, queryTimeoutMs: 7_000 });
  });

  it('refuses a file with every problem in one error, and one that is not there', async () => {
    const yaml = 'dbmanager: { connections: { a: { type: sqlite }, b: { type: oracle } } }';
    const error = await load(yaml).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as ConfigError).problems).toHaveLength(2);
    await expect(ConnectionManager.load(join(folder, 'none.yaml'))).rejects.toMatchObject({
      code: 'DBM_CONFIG_UNREADABLE',
    });
  });

  it('tells the logger of what it warns about', async () => {
    const warnings: string[] = [];
    const logger = {
      debug() {},
      info() {},
      error() {},
      warn: (_: object, message: string) => void warnings.push(message),
    };
    const provider = Object.assign(new FakeProvider(), {
      check: () => [{ path: [], rule: 'unwise', message: 'think again', severity: 'warning' as const }],
    });
    await load('dbmanager: { connections: { a: { type: fake } } }', { logger, providers: [provider] });
    expect(warnings).toEqual(['think again']);
  });
});

describe('a connection', () => {
  it('gives the same Knex and the same Database each time, on one pool', async () => {
    const mgr = manage({ primary: MEMORY });
    await mgr.connect();
    const primary = mgr.get('primary');
    expect(primary.knex()).toBe(primary.knex());
    expect(primary.database()).toBe(mgr.getDefaultDatabase());
    await primary.knex().schema.createTable('t', (table) => void table.integer('n'));
    await primary.database().execute('insert into t values (?)', [7]);
    expect(await primary.native('sqlite').read((handle) => handle.prepare('select n from t').get())).toEqual({ n: 7 });
    expect(primary.stats().pool.open).toBe(1);
  });

  it('refuses the native handle of another type, and any before connect() has loaded the driver', () => {
    const primary = manage({ primary: MEMORY }).get('primary');
    expect(() => primary.native('postgres')).toThrow(expect.objectContaining({ code: 'DBM_UNSUPPORTED' }));
    expect(() => primary.native('sqlite')).toThrow(expect.objectContaining({ code: 'DBM_NOT_CONNECTED' }));
    expect(() => primary.database()).toThrow(expect.objectContaining({ code: 'DBM_NOT_CONNECTED' }));
  });

  it('of no SQL database says so', async () => {
    const mgr = manage({ store: { type: 'fake' } }, { providers: [new FakeProvider({ sql: false })] });
    await mgr.connect();
    expect(() => mgr.get('store').database()).toThrow(expect.objectContaining({ code: 'DBM_NOT_SQL' }));
    expect(() => mgr.get('store').knex()).toThrow(NotSqlDatabaseError);
  });

  it('seeds 4: Handles survive: keeps its handles through reconnects', async () => {
    const mgr = manage({ primary: MEMORY });
    await mgr.connect();
    const knex = mgr.get('primary').knex();
    const db = mgr.getDefaultDatabase();
    await mgr.reconnect('primary');
    expect(await knex.select(knex.raw('1 as one'))).toEqual([{ one: 1 }]);
    expect(await db.query('select 2 as two')).toEqual([{ two: 2 }]);
  });
});

describe('metrics()', () => {
  it('seeds 4: Metrics: shows every connection, on a registry of its own for each manager', async () => {
    const [one, two] = [manage({ first: MEMORY }), manage({ second: MEMORY })];
    await Promise.all([one.connect(), two.connect()]);
    expect(one.metrics()).toBe(one.metrics());
    const [first, second] = await Promise.all([one.metrics().scrape(), two.metrics().scrape()]);
    expect(first).toContain('dbmanager_connection_status{name="first",type="sqlite"} 1');
    expect(first).not.toContain('name="second"');
    expect(second).toContain('dbmanager_connection_status{name="second",type="sqlite"} 1');
  });
});

describe('seeds 4: Singleton: the process-wide manager', () => {
  it('is set up once, found everywhere, and closed and forgotten by a reset', async () => {
    expect(() => getManager()).toThrow(expect.objectContaining({ code: 'DBM_NOT_SET_UP' }));
    const mgr = manage({ primary: MEMORY });
    expect(setupManager(mgr)).toBe(mgr);
    expect(getManager()).toBe(mgr);
    expect(() => setupManager(mgr)).toThrow(expect.objectContaining({ code: 'DBM_ALREADY_SET_UP' }));
    await resetManager();
    expect(() => getManager()).toThrow(expect.objectContaining({ code: 'DBM_NOT_SET_UP' }));
    expect(() => mgr.get('primary')).toThrow(expect.objectContaining({ code: 'DBM_CLOSED' }));
    await resetManager();
  });
});

describeWithPostgres('one pool on PostgreSQL', (postgres) => {
  let database: string;

  beforeAll(async () => {
    database = await postgres().createDatabase();
  });

  afterAll(() => postgres().dropDatabase(database));

  it('seeds 4: Many ORMs, one pool: is one backend for every door at max_open_conns: 1', async () => {
    const mgr = manage({ primary: { type: 'postgres', dsn: postgres().url(database), ...{ max_open_conns: 1 } } });
    await mgr.connect();
    const primary = mgr.get('primary');
    const sql = 'select pg_backend_pid() as pid';
    const pids = await Promise.all([
      primary
        .knex()
        .raw(sql)
        .then(({ rows }) => rows[0].pid),
      primary
        .native()
        .query(sql)
        .then(({ rows }) => rows[0].pid),
      primary
        .database()
        .query<{ pid: number }>(sql)
        .then(([row]) => row?.pid),
    ]);
    expect(new Set(pids).size).toBe(1);
    expect(await postgres().backends(database)).toHaveLength(1);
  });

  it('seeds 4: Adoption: adopts a pg.Pool of the caller, which answers after the manager has closed', async () => {
    const pool = new pg.Pool({ connectionString: postgres().url(database), max: 2 });
    const mgr = manage({});
    const legacy = await mgr.register('legacy', { type: 'postgres', handle: pool });
    expect(await legacy.database().query('select 1 as one')).toEqual([{ one: 1 }]);
    expect(await legacy.knex().select(legacy.knex().raw('2 as two'))).toEqual([{ two: 2 }]);
    await mgr.close();
    expect((await pool.query('select 3 as three')).rows).toEqual([{ three: 3 }]);
    expect(pool.idleCount).toBe(pool.totalCount);
    await pool.end();
  });

  it('seeds 4: connect(): closes what the good one of two opened when the other fails, and starts at the second try', async () => {
    const mgr = manage({
      good: { type: 'postgres', dsn: postgres().url(database) },
      bad: { type: 'postgres', dsn: postgres().url('not_there') },
    });
    await expect(mgr.connect()).rejects.toMatchObject({
      code: 'DBM_STARTUP_FAILED',
      errors: [{ code: 'DBM_DATABASE_NOT_FOUND', connectionName: 'bad' }],
    });
    expect(await postgres().backends(database)).toHaveLength(0);
    await postgres().createDatabase('not_there');
    try {
      await mgr.connect();
      expect(mgr.stats().healthyCount).toBe(2);
    } finally {
      await mgr.close();
      await postgres().dropDatabase('not_there');
    }
  });
});
