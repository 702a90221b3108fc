import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Transaction } from '@dbmanager/database';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { DrizzleQueryError, sql } from 'drizzle-orm';
import * as mysql from 'drizzle-orm/mysql-core';
import { migrate } from 'drizzle-orm/mysql2/migrator';
import { MARIADB, rejection, until } from '../../../test/support/sql-engines.js';
import {
  mysqlAuthors as authors,
  mysqlBooks as books,
  mysqlSchema as schema,
  useDrizzle,
} from '../test/drizzle-engines.js';
import type { DrizzleHandles, DrizzleTransactions } from './drizzle-handles.js';

const numbers = mysql.mysqlTable('numbers', { n: mysql.int() });
const MANY = 20_000;

MARIADB.describe('Drizzle', () => {
  const test = useDrizzle(MARIADB, schema, `create table numbers as select seq as n from seq_1_to_${MANY}`);
  const { run } = test;
  const open = () => test.open() as unknown as DrizzleHandles<typeof schema>['mariadb'];
  const across = <T>(work: (bound: DrizzleTransactions<typeof schema>['mariadb'], tx: Transaction) => Promise<T>) =>
    test.across((bound, tx) => work(bound as never, tx), { schema });

  it('begins transactions as asked', async () => {
    const work = open().transaction((tx) => tx.insert(authors).values({ id: 3, name: 'Joan' }), {
      isolationLevel: 'serializable',
      accessMode: 'read only',
    });
    await expect(rejection(work)).resolves.toMatchObject({
      cause: { code: 'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION' },
    });
    const isolation = `select trx_isolation_level as level from information_schema.innodb_trx
      where trx_mysql_thread_id = connection_id()`;
    const [[row]] = (await open().transaction(
      async (tx) => {
        await tx.delete(books);
        return tx.execute(sql.raw(isolation));
      },
      { isolationLevel: 'read committed' },
    )) as unknown as [[unknown]];
    expect(row).toEqual({ level: 'READ COMMITTED' });
  });

  it('refuses a consistent snapshot, which it could not begin', async () => {
    const config = { isolationLevel: 'repeatable read', withConsistentSnapshot: true } as const;
    const work = open().transaction(async () => {}, config);
    await expect(rejection(work)).resolves.toMatchObject({
      code: 'DBM_UNSUPPORTED',
      option: 'withConsistentSnapshot',
      connectionName: 'test',
    });
  });

  describe('rows one by one', () => {
    const read = () => open().select().from(numbers).iterator();

    it('come to the end, and to a reader that leaves early; the connection goes back', async () => {
      let count = 0;
      for await (const { n } of read()) count += n === null ? 0 : 1;
      expect(count).toBe(MANY);
      for await (const _ of read()) break;
      await until(() => test.target.counts.inUse === 0);
      expect(test.connection.lanes.stats().destroyed).toBe(0);
    });

    it('end with the error of a connection that dies', async () => {
      const db = open();
      const lent = new Promise<{ readonly stream: Socket }>((resolve) => db.$client.once('acquire', resolve as never));
      const reading = async () => {
        for await (const _ of db.select().from(numbers).iterator()) (await lent).stream.destroy();
      };
      await expect(rejection(reading())).resolves.toMatchObject({ code: 'PROTOCOL_CONNECTION_LOST' });
    });

    it('do not bar the rest of a transaction across ORMs when they are left early', async () => {
      await across(async (bound, tx) => {
        for await (const _ of bound.select().from(numbers).iterator()) break;
        await tx.execute("insert into authors values (3, 'Joan')");
        for await (const { n } of bound.select().from(numbers).iterator()) if (n === 3) break;
        await bound.delete(books);
      });
      await expect(open().$count(authors)).resolves.toBe(3);
      await expect(open().$count(books)).resolves.toBe(0);
    });
  });

  describe('migrations', () => {
    const GOOD = 'create table plants (id integer primary key);--> statement-breakpoint insert into plants values (1)';
    let folder: string;

    /** A folder as drizzle-kit writes it. */
    async function write(...migrations: readonly string[]): Promise<{ migrationsFolder: string }> {
      const entries = migrations.map((_, idx) => ({ idx, when: idx + 1, tag: `${idx}`, breakpoints: true }));
      await mkdir(join(folder, 'meta'), { recursive: true });
      await writeFile(join(folder, 'meta', '_journal.json'), JSON.stringify({ entries }));
      for (const [idx, text] of migrations.entries()) await writeFile(join(folder, `${idx}.sql`), text);
      return { migrationsFolder: folder };
    }

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'dbmanager-drizzle-'));
    });

    afterEach(async () => {
      await rm(folder, { recursive: true });
      await run('drop table if exists plants', 'drop table if exists __drizzle_migrations');
    });

    it('run once; what came before one that fails stays, as the server commits it', async () => {
      const db = open();
      const failing = migrate(db, await write(GOOD, 'create table nonsense'));
      await expect(rejection(failing)).resolves.toBeInstanceOf(DrizzleQueryError);
      await migrate(db, await write(GOOD, 'insert into plants values (2)'));
      const [plants] = await db.execute(sql`select id from plants order by id`);
      expect(plants).toEqual([{ id: 1 }, { id: 2 }]);
      expect(test.connection.lanes.stats().dirtyReleases).toBe(0);
    });

    it('are refused inside a transaction across ORMs, which they would commit', async () => {
      const config = await write(GOOD);
      const error = await rejection(across((bound) => migrate(bound as never, config)));
      expect(error.cause).toMatchObject({ code: 'DBM_UNSUPPORTED' });
    });
  });
});
