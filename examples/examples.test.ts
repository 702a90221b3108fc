import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../', import.meta.url));

/** What each example must print. */
const EXPECTED: Readonly<Record<string, readonly string[]>> = {
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

describe('npm run example', () => {
  it('knows every example, and each is tested here', () => {
    const folders = readdirSync(`${root}examples`, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(folders.map(({ name }) => name).sort()).toEqual(Object.keys(EXPECTED).sort());
  });

  it.each(Object.entries(EXPECTED))('%s prints what it promises', async (name, lines) => {
    const { stdout } = await run(process.execPath, ['scripts/example.js', name], { cwd: root });
    expect(stdout.trim().split('\n')).toEqual(lines);
  });

  it('names the examples there are when asked for another', async () => {
    const failure = await run(process.execPath, ['scripts/example.js', 'quick'], { cwd: root }).catch((error) => error);
    expect(failure).toMatchObject({ code: 2, stderr: expect.stringContaining('quick-start') });
  });
});
