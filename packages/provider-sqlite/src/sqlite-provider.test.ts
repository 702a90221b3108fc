import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadPeer } from '@dbmanager/core';
import { runProviderSuite, type SuiteHooks, type TestOptions } from '@dbmanager/testkit';
import { afterAll, expect } from '@jest/globals';
import Database from 'better-sqlite3';
import type { SqliteConnection } from './sqlite-connection.js';
import type { SqliteDriver } from './sqlite-driver.js';
import type { SqliteNative } from './sqlite-native.js';
import type { SqliteOptions } from './sqlite-options.js';
import { createSqliteProvider, sqliteProvider } from './sqlite-provider.js';

const folder = mkdtempSync(join(tmpdir(), 'dbm-sqlite-suite-'));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
const hooks: SuiteHooks<SqliteConnection, SqliteOptions> = {
  withoutDriver: createSqliteProvider((connectionName) =>
    loadPeer<SqliteDriver>('better-sqlite3-of-another-planet', import.meta.url, { by: 'type sqlite', connectionName }),
  ),
  unreachable: () => ({ filepath: join(folder, 'missing', 'app.db') }),
  async useNative(handle) {
    const native = handle as SqliteNative;
    await native.write((database) => database.exec('CREATE TABLE suite_native (a)'));
    expect(await native.read((database) => database.prepare('SELECT 1').pluck().get())).toBe(1);
    await native.close();
    await expect(native.read(() => 1)).rejects.toMatchObject({ code: 'DBM_CLOSED' });
  },
  async adoptable() {
    const handle = new Database(':memory:');
    return {
      handle,
      check: async () => expect(handle.prepare('SELECT 1').pluck().get()).toBe(1),
      dispose: async () => {
        handle.close();
      },
    };
  },
};

const KINDS: Readonly<Record<string, () => TestOptions<SqliteOptions>>> = {
  'sqlite in WAL': () => ({ filepath: join(folder, `${files++}.db`) }),
  'sqlite with a rollback journal': () => ({ filepath: join(folder, `${files++}.db`), journalMode: 'delete' }),
  'sqlite in memory': () => ({ filepath: ':memory:' }),
};

for (const [name, connection] of Object.entries(KINDS)) {
  runProviderSuite({
    name,
    provider: sqliteProvider,
    connection,
    capabilities: { sql: true, savepoints: true, native: true },
    values: [42, -1.5, 9_007_199_254_740_993n, -9_223_372_036_854_775_808n, Buffer.from([0, 255])].map((value) => ({
      statement: { sql: 'SELECT ? AS value', params: [value] },
      value,
    })),
    abortingStatement: (table) => ({ sql: `INSERT OR ROLLBACK INTO ${table} (k) VALUES ('k1')` }),
    hooks,
  });
}
