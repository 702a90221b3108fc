import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  describeWithCockroachdb,
  describeWithMariadb,
  describeWithMongodb,
  describeWithMssql,
} from '@dbmanager/testkit';
import { afterAll, describe, expect, it } from '@jest/globals';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../', import.meta.url));

const folder = mkdtempSync(join(tmpdir(), 'dbmanager-examples-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What each example must print. */
const EXPECTED: Readonly<Record<string, readonly unknown[]>> = {
  cockroachdb: ['attempts: 3', 'paid, refused: true, false', 'left, by pg: [{"total":50}]'],
  'cross-orm-transaction': [
    'entries of the ledger, inside and outside: 1 0',
    'sold: {"customers":["Ada"],"balances":[-30],"orders":["lamp"],"stock":[0],"ledger":["Ada bought a lamp for 30"]}',
    'not sold: no piano left',
    'nothing of it is left: {"customers":["Ada"],"balances":[-30],"orders":["lamp"],"stock":[0],"ledger":["Ada bought a lamp for 30"]}',
    'connections open for all of them: 2 of at most 25',
  ],
  express: [
    'POST /orders 201 {"id":1}',
    'POST /orders 409 {"error":"not enough of lamp"}',
    'GET /stock 200 [{"item":"lamp","left":1}]',
    'GET /orders 200 [{"item":"lamp","quantity":2}]',
    'GET /health/live 200 {"status":"live"}',
    'dbmanager_transactions_total{outcome="committed",name="shop",type="sqlite"} 1',
    'dbmanager_transactions_total{outcome="rolled_back",name="shop",type="sqlite"} 1',
    'GET /health/ready 503 {"status":"unready","shuttingDown":true,"down":[]}',
  ],
  'key-value': [
    'session ada:1 of Ada',
    'session ada:2 of Ada',
    'logins of Ada: 10',
    "after the batch: [ undefined, undefined, { user: 'Grace' } ] 0",
  ],
  mariadb: [
    'two transactions in a deadlock took 3 attempts',
    'stock, by mysql2: [{"item":"chair","pieces":10},{"item":"lamp","pieces":10}]',
    'connections in use now: 0 of 25',
  ],
  migrations: [
    'to do: 1 create_orders, 2',
    'to do: 2 add_total, 1',
    'to do: 3 fill_totals, code',
    'fill_totals: 5000 of 10000',
    'interrupted',
    'at version 2: {"filled":0}',
    'fill_totals: 5000 of 10000',
    'fill_totals: 10000 of 10000',
    'at version 3: {"filled":10000}',
    'taken back: fill_totals, add_total',
    'edited, missing or late: 0',
  ],
  mongodb: [
    'on databases: Pools, Queues',
    expect.stringMatching(/^in one transaction: (?:two changes|refused, transactions need a replica set)/),
    'as SQL: refused, a Database needs an SQL database',
    'connections in use now: 0 of 10',
  ],
  mssql: [
    'after the error: DBM_TRANSACTION_ABORTED',
    'stock, by node-mssql: [{"item":"chair","pieces":3},{"item":"lamp","pieces":9}]',
    'connections in use now: 0 of 25',
  ],
  nestjs: [
    'POST /users 201 {"name":"Ada","id":1}',
    'POST /users 409 {"message":"there is a user \\"Ada\\"","error":"Conflict","statusCode":409}',
    'POST /users 201 {"name":"Grace","id":2}',
    'GET /users 200 [{"id":1,"name":"Ada"},{"id":2,"name":"Grace"}]',
    'GET /users/log 200 ["created Ada","created Grace"]',
    'GET /health/ready 200 {"status":"ready","shuttingDown":false,"down":[]}',
    'state after app.close(): closed',
  ],
  'quick-start': [
    'active users, by Knex: Ada, Grace',
    'rows changed in a transaction: 1',
    'rows, by better-sqlite3: {"n":3}',
    'connections open for all of them: 1 of 1',
  ],
  saas: [
    'acme.test GET /notes 401 {"error":"log in first"}',
    'acme.test POST /login 204 ',
    'acme.test POST /notes 201 {"id":1}',
    'acme.test POST /notes 422 {"error":"a note has at most 40 characters"}',
    'acme.test GET /count 200 {"notes":1}',
    'acme.test GET /count 200 {"notes":1}',
    'acme.test POST /notes 201 {"id":2}',
    'acme.test GET /count 200 {"notes":2}',
    'acme.test GET /notes 200 {"notes":["ada: sell the lamp","ada: buy a lamp"]}',
    'globex.test POST /login 204 ',
    'globex.test GET /notes 200 {"notes":[]}',
    'www.globex.test GET /count 200 {"notes":0}',
    'globex.test GET /notes 429 Too many requests, please try again later.',
    'nobody.test GET /notes 404 {"error":"DBM_UNKNOWN_TENANT"}',
    'acme.test GET /notes 401 {"error":"log in first"}',
    'dbmanager_transactions_total{outcome="rolled_back",name="main",type="sqlite"} 1',
    'dbmanager_cache_hits_total{name="main",type="sqlite"} 1',
    'dbmanager_cache_misses_total{name="main",type="sqlite"} 3',
    'acme.test GET /ops/health/ready 503 {"status":"unready","shuttingDown":true,"down":[]}',
  ],
  'sql-files': [
    'by Le Guin: The Dispossessed, The Left Hand of Darkness',
    'found by sqlite/books/search.sql: Solaris',
    'no such query: did you mean "books/by-author"?',
  ],
  testing: [
    'passed: takes one from the stock',
    'passed: takes a number once',
    'passed: passes on that nobody knows whether it was committed',
  ],
  'typeorm-to-mikro-orm': [
    'all in TypeORM:',
    '  refused: Ada may not owe 120',
    '  Ada owes 70: 40 + 30',
    'invoices in MikroORM:',
    '  refused: Grace may not owe 120',
    '  Grace owes 70: 40 + 30',
    '  Ada owes 80: 40 + 30 + 10',
    'all in MikroORM:',
    '  refused: Joan may not owe 120',
    '  Joan owes 70: 40 + 30',
    '  Ada owes 90: 40 + 30 + 10 + 10',
    'connections open for both: 1 of 1',
  ],
};

/** The examples that need a server, each with the `describe` of it and its environment. */
const ON_SERVERS: Readonly<Record<string, (define: (env: () => Promise<Environment>) => void) => void>> = {
  cockroachdb: (define) =>
    describeWithCockroachdb('npm run example', (server) => define(() => databaseOf(server(), 'COCKROACHDB_URL'))),
  mariadb: (define) =>
    describeWithMariadb('npm run example', (server) => define(() => databaseOf(server(), 'MARIADB_URL'))),
  mongodb: (define) =>
    describeWithMongodb('npm run example', (server) =>
      define(async () => {
        const database = server().newDatabase();
        return { env: { MONGODB_URL: server().url(database) }, end: () => server().dropDatabase(database) };
      }),
    ),
  mssql: (define) =>
    describeWithMssql('npm run example', (server) =>
      define(async () => {
        // No database of its own: Jest on Node 22 cannot load what would create one.
        const url = new URL(server().url('tempdb'));
        url.searchParams.set('trustServerCertificate', 'true');
        return { env: { MSSQL_URL: url.href }, end: async () => {} };
      }),
    ),
};

/** A database of the example's own on a server, named by that variable. */
async function databaseOf(
  server: { createDatabase(): Promise<string>; dropDatabase(name: string): Promise<void>; url(name: string): string },
  variable: string,
): Promise<Environment> {
  const database = await server.createDatabase();
  return { env: { [variable]: server.url(database) }, end: () => server.dropDatabase(database) };
}

/** What an example is given, and what is to be done after it. */
interface Environment {
  readonly env: Readonly<Record<string, string>>;
  end(): Promise<void>;
}

/** Runs an example and gives the lines that it has printed. */
async function linesOf(name: string, env: Environment['env'] = {}): Promise<string[]> {
  const options = { cwd: root, env: { ...process.env, KV_FOLDER: join(folder, name), ...env } };
  const { stdout } = await run(process.execPath, ['scripts/example.js', name], options);
  return stdout.trim().split('\n');
}

describe('npm run example', () => {
  it('knows every example, and each is tested here', () => {
    const folders = readdirSync(`${root}examples`, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(folders.map(({ name }) => name).sort()).toEqual(Object.keys(EXPECTED).sort());
  });

  const embedded = Object.entries(EXPECTED).filter(([name]) => !Object.hasOwn(ON_SERVERS, name));
  it.each(embedded)('%s prints what it promises', async (name, lines) => {
    expect(await linesOf(name)).toEqual(lines);
  });

  it('names the examples there are when asked for another', async () => {
    const failure = await run(process.execPath, ['scripts/example.js', 'quick'], { cwd: root }).catch((error) => error);
    expect(failure).toMatchObject({ code: 2, stderr: expect.stringContaining('quick-start') });
  });
});

for (const [name, describeOnServer] of Object.entries(ON_SERVERS)) {
  describeOnServer((prepare) => {
    it(`${name} prints what it promises`, async () => {
      const { env, end } = await prepare();
      try {
        expect(await linesOf(name, env)).toEqual(EXPECTED[name]);
      } finally {
        await end();
      }
    });
  });
}
