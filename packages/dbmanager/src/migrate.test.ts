import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Secret } from '@dbmanager/core';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { runCommand } from '../../../test/support/serve.js';
import {
  COCKROACHDB,
  MARIADB,
  MSSQL,
  POSTGRES,
  rejection,
  SQLITE,
  type SqlDatabase,
} from '../../../test/support/sql-engines.js';
import { ConnectionManager } from './connection-manager.js';

const COMMAND = fileURLToPath(new URL('../bin/dbmanager.js', import.meta.url));

/** The built command as a process that a test can talk to. */
class Running {
  readonly process: ChildProcess;
  output = '';

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.process = spawn(process.execPath, [COMMAND, ...args], { env: { ...process.env, ...env } });
    this.process.stdout?.on('data', (chunk: Buffer) => this.#read(chunk));
    this.process.stderr?.on('data', (chunk: Buffer) => this.#read(chunk));
  }

  #read(chunk: Buffer): void {
    this.output += chunk.toString();
    this.process.emit('output');
  }

  /** Resolves when it has written this. */
  async until(text: string): Promise<void> {
    while (!this.output.includes(text)) await once(this.process, 'output');
  }

  async end(): Promise<number | null> {
    if (this.process.exitCode === null && this.process.signalCode === null) await once(this.process, 'close');
    return this.process.exitCode;
  }
}

/** A step that stands still until it is interrupted, unless `GO` is set. */
const HELD = `export const description = 'held';
export async function up({ db, signal, progress }) {
  await db.execute("insert into log (entry) values (2)");
  await progress(1, 2);
  if (process.env.GO !== '1') {
    process.stdout.write('held\\n');
    const alive = setInterval(() => {}, 60_000);
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    clearInterval(alive);
  }
  await progress(2, 2);
}
`;

for (const engine of [SQLITE, POSTGRES, COCKROACHDB, MARIADB, MSSQL]) {
  const transactionalDdl = engine !== MARIADB && engine !== COCKROACHDB;

  engine.describe('dbmanager migrate', () => {
    let database: SqlDatabase;
    let folder: string;
    let file: string;
    let settings: Record<string, unknown>;

    beforeEach(async () => {
      database = await engine.create();
      folder = await mkdtemp(join(tmpdir(), 'dbmanager-migrate-'));
      file = join(folder, 'dbmanager.yaml');
      const { type, options } = database.config({}) as unknown as {
        readonly type: string;
        readonly options: { readonly dsn?: Secret; readonly filepath?: string };
      };
      const { dsn, filepath } = options;
      const tls = engine === MSSQL ? { sslmode: 'disable' } : {};
      const place = filepath === undefined ? { dsn: dsn?.reveal(), ...tls } : { filepath };
      settings = { type, ...place, migrations_path: folder };
      await write('dbmanager.yaml', JSON.stringify({ dbmanager: { connections: { primary: settings } } }));
    }, 60_000);

    afterEach(async () => {
      await database?.drop();
      await rm(folder, { recursive: true });
    });

    const write = (name: string, text: string) => writeFile(join(folder, name), text);
    const migrate = (...args: string[]) => runCommand(['migrate', ...args, '--config', file], { GO: '1' });

    async function entries(): Promise<number[]> {
      const manager = ConnectionManager.from({ connections: { primary: settings as { type: string } } });
      await manager.connect();
      const rows = await manager.getDefaultDatabase().query<{ entry: number }>('select entry from log order by entry');
      await manager.close();
      return rows.map(({ entry }) => entry);
    }

    it('seeds 1: Migrations: two processes at once: each step is applied once', async () => {
      await write('1_log.up.sql', 'create table log (entry integer)');
      for (let version = 2; version <= 20; version++) {
        await write(`${version}_entry.up.sql`, `insert into log (entry) values (${version})`);
      }
      const results = await Promise.all([migrate('up'), migrate('up')]);
      expect(results).toMatchObject([{ code: 0 }, { code: 0 }]);
      const steps = results.flatMap(({ stdout }) => stdout.split('\n').filter((line) => line.startsWith('up')));
      expect(steps).toHaveLength(20);
      await expect(entries()).resolves.toEqual(Array.from({ length: 19 }, (_, index) => index + 2));
    }, 60_000);

    it('killed by kill -9 in the middle: the lock is free, and the next run is clean where the engine rolls back', async () => {
      await write('1_log.up.sql', 'create table log (entry integer)');
      await write('2_held.mjs', HELD);
      await write('3_more.up.sql', 'insert into log (entry) values (3)');
      const killed = new Running(['migrate', 'up', '--config', file]);
      await killed.until('held');
      killed.process.kill('SIGKILL');
      await killed.end();
      const next = await migrate('up');
      if (!transactionalDdl) {
        // It cannot be rolled back there: what it did stays, and a person decides.
        expect(next.stderr).toContain('DBM_MIGRATION_DIRTY');
        await expect(entries()).resolves.toEqual([2]);
        expect((await migrate('status')).stdout).toContain('version: 2, dirty');
        expect((await migrate('force', '1')).stdout).toBe('version: 1\n');
        expect((await migrate('up')).code).toBe(0);
        return;
      }
      expect(next).toMatchObject({ code: 0 });
      await expect(entries()).resolves.toEqual([2, 3]);
    }, 60_000);

    // What an interruption leaves is tested for each engine in its package; here, that the signal is one.
    if (engine === SQLITE || engine === MARIADB)
      it('is interrupted by SIGINT', async () => {
        await write('1_log.up.sql', 'create table log (entry integer)');
        await write('2_held.mjs', HELD);
        const running = new Running(['migrate', 'up', '--config', file]);
        await running.until('held');
        running.process.kill('SIGINT');
        await expect(running.end()).resolves.toBe(1);
        expect(running.output).toContain('DBM_ABORTED');
        const { stdout } = await migrate('status');
        expect(stdout).toContain(transactionalDdl ? 'version: 1\n' : 'version: 2, dirty\n');
      }, 60_000);
  });
}

describe('dbmanager migrate', () => {
  let folder: string;
  let file: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dbmanager-migrate-'));
    file = join(folder, 'dbmanager.yaml');
    await write('1_users.up.sql', 'create table users (id integer primary key); insert into users values (1);');
    await write('1_users.down.sql', 'drop table users');
    await write('2_more.up.sql', 'insert into users values (2)');
    await write('2_more.down.sql', 'delete from users where id = 2');
    await configure({});
  });

  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  const write = (name: string, text: string) => writeFile(join(folder, name), text);
  const settings = (more: object) => ({
    type: 'sqlite',
    filepath: join(folder, 'a.db'),
    migrations_path: folder,
    ...more,
  });
  const configure = (more: object) =>
    write('dbmanager.yaml', JSON.stringify({ dbmanager: { connections: { primary: settings(more) } } }));
  const migrate = (...args: string[]) => runCommand(['migrate', ...args, '--config', file]);

  it('plans, applies, shows and takes back', async () => {
    expect((await migrate('plan')).stdout).toBe(
      'up  1  users  2 statements  in a transaction\nup  2  more   1 statement   in a transaction\n',
    );
    expect((await migrate('up', '1')).stdout).toMatch(/^up {2}1 {2}users {2}\d+ ms\n$/);
    expect((await migrate('status')).stdout).toMatch(
      /^VERSION {2}MIGRATION {2}STATE {4}APPLIED\n1 {8}users {6}applied {2}20\S+Z\n2 {8}more {7}pending {2}-\n\nversion: 1\n$/,
    );
    await migrate('goto', '2');
    expect((await migrate('down')).stdout).toMatch(/^down {2}2 {2}more/);
    expect((await migrate('goto', 'none')).stdout).toMatch(/^down {2}1 {2}users/);
    expect((await migrate('down')).stdout).toBe('nothing to do\n');
  }, 60_000);

  it('tells of drift, and exits with 1', async () => {
    await migrate('up');
    expect(await migrate('verify')).toMatchObject({ code: 0 });
    await write('1_users.up.sql', 'create table users (id integer)');
    expect(await migrate('verify')).toMatchObject({ code: 1, stdout: 'edited  1  users\n' });
    expect(await migrate('up')).toMatchObject({ code: 1, stderr: expect.stringContaining('DBM_MIGRATION_DRIFT') });
  }, 60_000);

  it('creates both files, without a configuration where a folder is named', async () => {
    const { stdout } = await runCommand(['migrate', 'create', 'Add', 'mail', '--path', folder]);
    expect(stdout.split('\n')[0]).toMatch(/\d{14}_add_mail\.up\.sql$/);
    await migrate('create', 'again');
    expect((await readdir(folder)).filter((name) => /^\d{14}_/.test(name))).toHaveLength(4);
  });

  it.each([['up', '0'], ['down', 'x'], ['goto'], ['goto', '-1'], ['force', '1.5'], ['sideways']])(
    'refuses %s %s, and exits with 2',
    async (...args) => {
      expect(await migrate(...args)).toMatchObject({ code: 2 });
    },
  );

  describe('seeds 3: Migrations: migrate_on_start', () => {
    it('applies what is pending before connect() has ended', async () => {
      const manager = ConnectionManager.from({ connections: { primary: settings({ migrate_on_start: true }) } });
      await manager.connect();
      await expect(manager.getDefaultDatabase().query('select id from users')).resolves.toHaveLength(2);
      await manager.connect();
      await manager.close();
    });

    it('does nothing when it is off', async () => {
      const manager = ConnectionManager.from({ connections: { primary: settings({}) } });
      await manager.connect();
      await expect(manager.migrations().status()).resolves.toMatchObject({ version: undefined });
      await manager.close();
    });

    it('that fails is a failure to start, and leaves nothing open', async () => {
      await write('2_more.up.sql', 'insert into nowhere values (1)');
      const manager = ConnectionManager.from({ connections: { primary: settings({ migrate_on_start: true }) } });
      const error = await rejection(manager.connect());
      expect(error).toMatchObject({ code: 'DBM_STARTUP_FAILED', cause: { code: 'DBM_MIGRATION_FAILED' } });
      expect(manager.get('primary').stats().pool.open).toBe(0);
      await manager.close();
    });

    it('needs a folder, and a connection that is required', () => {
      const from = (more: object) => () => ConnectionManager.from({ connections: { primary: settings(more) } });
      expect(from({ migrate_on_start: true, migrations_path: undefined })).toThrow(/needs migrations_path/);
      expect(from({ migrate_on_start: true, startup: 'lazy' })).toThrow(/needs startup: required/);
    });
  });
});
