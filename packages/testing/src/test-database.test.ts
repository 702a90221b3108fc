import {
  describeWithMariadb,
  describeWithMongodb,
  describeWithPostgres,
  MARIADB_SERVER,
  type SharedTestServer,
  type TestServerEndpoint,
} from '@dbmanager/testkit';
import * as jest from '@jest/globals';
import { ConnectionManager } from 'dbmanager';
import { testDatabase } from './test-database.js';

const { describe, expect, it } = jest;

const DESCRIBES = {
  postgres: (define: () => void) => describeWithPostgres('testDatabase of postgres', define, jest),
  mariadb: (define: () => void) => describeWithMariadb('testDatabase of mariadb', define, jest),
} as const;

for (const [type, describeOn] of Object.entries(DESCRIBES)) {
  describeOn(() => {
    it('drops it under a transaction that was left open', async () => {
      const database = await testDatabase(type as keyof typeof DESCRIBES);
      const mgr = ConnectionManager.from({ connections: { primary: database.connection } });
      await mgr.connect();
      await mgr.getDefaultDatabase().execute('create table notes (id integer primary key)');
      const left = await mgr.getDefaultDatabase().begin();
      await left.execute('insert into notes values (1)');
      await database.drop();
      // Its connection has gone.
      await left.rollback().catch(() => undefined);
      await mgr.close({ drainTimeoutMs: 0 });
    });

    it('gives an empty database that a manager connects to, and drops it', async () => {
      const database = await testDatabase(type as keyof typeof DESCRIBES);
      const mgr = ConnectionManager.from({ connections: { primary: database.connection } });
      await mgr.connect();
      const db = mgr.getDefaultDatabase();
      await db.execute('create table notes (id integer primary key)');
      expect(await db.query('select * from notes')).toEqual([]);
      await mgr.close();
      await database.drop();
      await database.drop();
      const again = ConnectionManager.from({ connections: { primary: { ...database.connection, retry_attempts: 0 } } });
      await expect(again.connect()).rejects.toMatchObject({ code: 'DBM_STARTUP_FAILED' });
      await again.close();
    });
  });
}

describeWithMongodb(
  'testDatabase of mongodb',
  () => {
    it('gives an empty database that a manager connects to, and drops it', async () => {
      const database = await testDatabase('mongodb');
      const mgr = ConnectionManager.from({ connections: { primary: database.connection } });
      await mgr.connect();
      const notes = mgr.get('primary').mongodb().db().collection('notes');
      expect(notes.dbName).toBe(database.name);
      await notes.insertOne({ text: 'a' });
      expect(await notes.countDocuments()).toBe(1);
      await database.drop();
      expect(await notes.countDocuments()).toBe(0);
      await mgr.close();
    });
  },
  jest,
);

describe('testDatabase', () => {
  it('refuses a type that there are no servers of', async () => {
    await expect(testDatabase('oracle' as 'postgres')).rejects.toMatchObject({
      code: 'DBM_INVALID_OPTION',
      message: expect.stringContaining('postgres, cockroachdb, mysql, mariadb, mssql, mongodb'),
    });
  });

  it('says what to install where there is none', async () => {
    const server: SharedTestServer<TestServerEndpoint> = MARIADB_SERVER;
    const missing = jest.jest.spyOn(server, 'missing').mockReturnValue('no MariaDB: not set, and not installed');
    try {
      await expect(testDatabase('mariadb')).rejects.toMatchObject({
        code: 'DBM_PACKAGE_NOT_INSTALLED',
        message: expect.stringMatching(/no MariaDB: .*; install mariadb-server/),
      });
    } finally {
      missing.mockRestore();
    }
  });
});
