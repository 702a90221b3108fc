import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BridgeTarget } from '@dbmanager/core';
import { createDatabase, type Database } from '@dbmanager/database';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import {
  bridgeTarget,
  COCKROACHDB,
  MARIADB,
  MSSQL,
  PGBOUNCER,
  POSTGRES,
  rejection,
  SQL_PROVIDERS,
  SQLITE,
  type SqlDatabase,
  until,
} from '../../../test/support/sql-engines.js';
import { SqlFiles } from './index.js';

const FILES = {
  'common/people/add.sql': 'insert into people (id, name) values (:id, :name)',
  'common/people/by-name.sql':
    "-- it's by name; \nselect id, name from people where name = :name or name = lower(:name);\n",
  'common/people/rename.sql': 'update people set name = :name where id = :id and name <> :name',
};

for (const engine of [SQLITE, POSTGRES, COCKROACHDB, PGBOUNCER, MARIADB, MSSQL]) {
  engine.describe('seeds 0: SQL loader: statements in files', () => {
    let database: SqlDatabase;
    let connection: TestConnection<unknown>;
    let target: BridgeTarget;
    let db: Database;
    let path: string;

    beforeAll(async () => {
      database = await engine.create();
    }, 60_000);

    afterAll(async () => {
      await database?.drop();
    });

    beforeEach(async () => {
      path = mkdtempSync(join(tmpdir(), 'dbmanager-sql-'));
      connection = await database.open({ maxOpenConns: 2 });
      target = bridgeTarget(connection);
      db = createDatabase(target);
      await db.execute('create table people (id integer primary key, name varchar(50))');
      write(FILES);
    });

    afterEach(async () => {
      await db.execute('drop table people');
      await connection.close();
      rmSync(path, { recursive: true });
    });

    function write(texts: Readonly<Record<string, string>>): void {
      for (const [name, text] of Object.entries(texts)) {
        mkdirSync(join(path, name, '..'), { recursive: true });
        writeFileSync(join(path, name), text);
      }
    }

    function files(): SqlFiles {
      const { type } = target;
      const dialect = SQL_PROVIDERS.find((provider) => provider.type === type)?.dialect;
      return new SqlFiles({
        path,
        type,
        dialect: dialect ?? { placeholders: 'question-mark' },
        connectionName: 'main',
      });
    }

    it('run by every method of the database and of a transaction', async () => {
      const sql = files();
      await db.execute(sql.statement('people/add', { id: 1, name: 'ann' }));
      await db.transaction(async (tx) => {
        await tx.execute(sql.statement('people/rename', { id: 1, name: 'bob' }));
        await expect(tx.queryOne(sql.statement('people/by-name', { name: 'BOB' }))).resolves.toMatchObject({ id: 1 });
      });
      const rows: unknown[] = [];
      for await (const row of db.stream(sql.statement('people/by-name', { name: 'bob' }), { timeout: '5s' }))
        rows.push(row);
      expect(rows).toEqual([{ id: 1, name: 'bob' }]);
    });

    it('name themselves when their values do not fit', async () => {
      const error = await rejection(db.query(files().statement('people/by-name', { nam: 'ann' })));
      expect(error).toMatchObject({ code: 'DBM_INVALID_OPTION', option: 'params' });
      expect(error.message).toContain('people/by-name: no value was given for :name');
    });

    it('are prepared without being run, and what is wrong with each is told', async () => {
      write({
        'common/bad-column.sql': 'select nothing from people where id = :id',
        'common/bad-syntax.sql': 'select id from people where',
        'common/bad-table.sql': 'insert into nowhere (id) values (:id)',
      });
      const answers = await files().prepareAll(target);
      const told = [...answers].map(([name, answer]) => [name, answer instanceof Error ? 'refused' : answer]);
      expect(Object.fromEntries(told)).toEqual({
        'bad-column': 'refused',
        'bad-syntax': 'refused',
        'bad-table': 'refused',
        'people/add': true,
        'people/by-name': true,
        'people/rename': true,
      });
      for (const name of ['bad-column', 'bad-syntax', 'bad-table']) {
        expect(answers.get(name)).toMatchObject({ code: 'DBM_SYNTAX', connectionName: target.name });
      }
      expect(String((answers.get('bad-table') as Error).message)).toMatch(/nowhere/);
      expect(target.counts.inUse).toBe(0);
      await expect(db.query('select * from people')).resolves.toEqual([]);
      // A table that has changed since is looked at again.
      await db.execute(
        target.type === 'mssql'
          ? "exec sp_rename 'people.name', 'label', 'COLUMN'"
          : 'alter table people rename column name to label',
      );
      await expect(files().prepareAll(target)).resolves.toMatchObject({ size: 6 });
      expect((await files().prepareAll(target)).get('people/by-name')).toMatchObject({ code: 'DBM_SYNTAX' });
    });

    it('are not prepared any further once that has been given up', async () => {
      const controller = new AbortController();
      const asked = rejection(files().prepareAll(target, controller.signal));
      controller.abort();
      await expect(asked).resolves.toMatchObject({ code: 'DBM_ABORTED', connectionName: target.name });
      await until(() => target.counts.inUse === 0);
    });

    it('leave nothing prepared on the server, and the connection as it was', async () => {
      const sql = files();
      await sql.prepareAll(target);
      await sql.prepareAll(target);
      await expect(db.transaction((tx) => tx.query('select 1 as one'))).resolves.toHaveLength(1);
      const statistics = connection.lanes.stats();
      expect(statistics.created).toBe(statistics.open);
    });
  });
}
