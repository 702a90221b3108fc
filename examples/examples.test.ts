import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../', import.meta.url));

/** What each example must print. */
const EXPECTED: Readonly<Record<string, readonly string[]>> = {
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
