import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { ConfigInput } from '@dbmanager/core';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { runCommand } from '../../../test/support/serve.js';
import { rejection } from '../../../test/support/sql-engines.js';
import { ConnectionManager } from './connection-manager.js';

const run = promisify(execFile);
const modules = fileURLToPath(new URL('../../../node_modules', import.meta.url));
/** Starting processes, and compiling, takes its time on a busy machine. */
const TIMEOUT_MS = 120_000;

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dbmanager-sql-'));
  file = join(folder, 'dbmanager.yaml');
  await write({
    'sql/common/users/all.sql': 'select * from users order by id',
    'sql/common/users/by-id.sql': 'select * from users where id = :id',
    'migrations/1_users.up.sql': 'create table users (id integer primary key, name text)',
  });
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
}

type Connections = NonNullable<ConfigInput['connections']>;

const sqlite = (more: object = {}) => ({
  type: 'sqlite',
  filepath: join(folder, 'a.db'),
  migrations_path: join(folder, 'migrations'),
  migrate_on_start: true,
  ...more,
});
const input = (connections: Connections, more: object = { sql_path: join(folder, 'sql') }) => ({
  ...more,
  connections,
});
const configure = (connections: Connections, more?: object) =>
  write({ 'dbmanager.yaml': JSON.stringify({ dbmanager: input(connections, more) }) });

async function withManager<T>(
  connections: Connections,
  work: (manager: ConnectionManager) => Promise<T>,
  more?: object,
): Promise<T> {
  const manager = ConnectionManager.from(input(connections, more));
  try {
    return await work(manager);
  } finally {
    await manager.close();
  }
}

const MISTAKES = { 'sql/common/empty.sql': '', 'sql/sqlite/users/all.sql': 'select 1;\nselect 2' };

describe('seeds 0: SQL loader: connection.sql()', () => {
  it('gives statements to the database and to transactions', () =>
    withManager({ main: sqlite() }, async (manager) => {
      await manager.connect();
      const main = manager.get('main');
      await main.database().execute('insert into users (name) values (?)', ['ann']);
      await expect(main.database().query(main.sql('users/all'))).resolves.toHaveLength(1);
      await main.transaction(async (tx) => {
        await expect(tx.queryOne(main.sql('users/by-id', { id: 1 }))).resolves.toMatchObject({ name: 'ann' });
      });
      await expect(main.knex().raw(main.sqlFiles().text('users/all'))).resolves.toHaveLength(1);
    }));

  it('names the query that is missing', () =>
    withManager({ main: sqlite() }, async (manager) => {
      expect(() => manager.get('main').sql('users/by-name')).toThrow(
        expect.objectContaining({ code: 'DBM_UNKNOWN_QUERY', message: expect.stringContaining('"users/by-name"') }),
      );
    }));

  it('refuses names that lead out of the folder', () =>
    withManager({ main: sqlite() }, async (manager) => {
      await write({ 'secret.sql': 'select 1' });
      expect(() => manager.get('main').sql('../../secret')).toThrow(
        expect.objectContaining({ code: 'DBM_INVALID_OPTION' }),
      );
    }));

  it('tells by an error that no folder is named, or that there is no SQL', () =>
    withManager(
      { main: sqlite(), store: { type: 'kv', filepath: join(folder, 'kv') } },
      async (manager) => {
        expect(() => manager.get('main').sql('a')).toThrow(expect.objectContaining({ option: 'sql_path' }));
        await manager.connect();
        expect(() => manager.get('store').sqlFiles(folder)).toThrow(expect.objectContaining({ code: 'DBM_NOT_SQL' }));
      },
      {},
    ));

  it('fails the start, before anything is opened, with what is wrong for every connection', async () => {
    await write(MISTAKES);
    await withManager(
      {
        main: sqlite(),
        lazy: { type: 'postgres', host: 'nowhere.invalid', user: 'a', database: 'a', startup: 'lazy' } as never,
      },
      async (manager) => {
        const error = await rejection(manager.connect());
        expect(error).toMatchObject({
          code: 'DBM_SQL_FILES',
          problems: [
            { file: join(folder, 'sql/common/empty.sql'), line: undefined },
            { file: join(folder, 'sql/sqlite/users/all.sql'), line: 2 },
          ],
        });
        expect(manager.get('main').stats().pool.created).toBe(0);
        await write({ 'sql/common/empty.sql': 'select 1', 'sql/sqlite/users/all.sql': 'select 1' });
        expect(manager.get('main').sqlFiles().names()).toContain('empty');
      },
    );
  });

  it('starts with sql_reload whatever is wrong with the files, and sees edits', async () => {
    await write(MISTAKES);
    await withManager(
      { main: sqlite() },
      async (manager) => {
        await manager.connect();
        const main = manager.get('main');
        expect(() => main.sql('users/all')).toThrow(expect.objectContaining({ code: 'DBM_SQL_FILES' }));
        await write({ 'sql/sqlite/users/all.sql': 'select 7 as n' });
        await expect(main.database().query(main.sql('users/all'))).resolves.toEqual([{ n: 7 }]);
      },
      { sql_path: join(folder, 'sql'), sql_reload: true },
    );
  });
});

describe('seeds 0: SQL loader: dbmanager sql', () => {
  const sql = (...args: string[]) => runCommand(['sql', ...args, '--config', file]);

  it(
    'check has each database prepare every statement, and exits with 0 when all is well',
    async () => {
      await configure({ main: sqlite() });
      await runCommand(['migrate', 'up', '--config', file]);
      expect(await sql('check')).toEqual({
        code: 0,
        stdout: `${join(folder, 'sql')}\nQUERY        main (sqlite)\nusers/all    prepared\nusers/by-id  prepared\n`,
        stderr: '',
      });
    },
    TIMEOUT_MS,
  );

  it(
    'check tells differences between engines, refusals and databases that are down, and exits with 1',
    async () => {
      await write({
        'sql/mysql/users/odd.sql': 'select `id` from users where id = :key',
        'sql/common/bad.sql': 'select surname from users',
        'sql/sqlite/users/odd.sql': 'select :id',
      });
      const down = { type: 'sqlite', filepath: join(folder, 'gone/b.db') };
      await configure({ main: sqlite(), down });
      await runCommand(['migrate', 'up', '--config', file, '--connection', 'main']);
      const { code, stdout } = await sql('check');
      expect(code).toBe(1);
      const lines = stdout.replaceAll(folder, '').split('\n');
      expect(lines.slice(0, 6)).toEqual([
        '/sql',
        'QUERY        main (sqlite)  down (sqlite)  mysql',
        'bad          refused        not asked      read',
        'users/all    prepared       not asked      read',
        'users/by-id  prepared       not asked      read',
        'users/odd    prepared       not asked      read',
      ]);
      expect(lines.slice(6)).toEqual([
        'error: /sql/mysql/users/odd.sql: has the parameters :key, and /sql/sqlite/users/odd.sql has the parameters :id',
        'error: /sql/common/bad.sql: connection "main": no such column: surname',
        expect.stringMatching(/^error: down \(sqlite\): connection "down": /),
        '',
      ]);
      expect((await sql('check', '--offline')).stdout).not.toContain('prepared');
    },
    TIMEOUT_MS,
  );

  it(
    'exits with 2 when no connection names a folder; --path names one',
    async () => {
      await configure({ main: sqlite() }, {});
      expect(await sql('check')).toMatchObject({ code: 2, stderr: expect.stringContaining('sql_path') });
      expect(await sql('check', '--offline', '--path', join(folder, 'sql'))).toMatchObject({ code: 0 });
    },
    TIMEOUT_MS,
  );

  it(
    'types writes names that the compiler holds calls to, and --check tells when they are outdated',
    async () => {
      await configure({ main: sqlite() });
      const out = join(folder, 'sql/queries.d.ts');
      expect(await sql('types', '--check')).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('not up to date'),
      });
      expect(await sql('types')).toEqual({ code: 0, stdout: `${out}\n`, stderr: '' });
      const { mtimeMs } = await stat(out);
      expect(await sql('types', '--check')).toMatchObject({ code: 0 });
      await sql('types');
      expect((await stat(out)).mtimeMs).toBe(mtimeMs);
      await compile(`
      import { ConnectionManager } from 'dbmanager';
      const main = ConnectionManager.from({ connections: {} }).get('main');
      export const statements = [main.sql('users/all'), main.sql('users/by-id', { id: 1 }), main.sqlFiles().text('users/all')];
      // @ts-expect-error no such query
      main.sql('users/by-name', { id: 1 });
      // @ts-expect-error no such parameter
      main.sql('users/by-id', { key: 1 });
      // @ts-expect-error no values
      main.sql('users/by-id');
      // @ts-expect-error a value too many
      main.sql('users/all', { id: 1 });
    `);
      await write({ 'sql/common/new.sql': 'select 1' });
      expect(await sql('types', '--check')).toMatchObject({ code: 1 });
      await write({ 'sql/common/new.sql': '' });
      expect(await sql('types')).toMatchObject({ code: 1, stderr: expect.stringContaining('holds no statement') });
      expect(await readFile(out, 'utf8')).not.toContain('new');
    },
    TIMEOUT_MS,
  );

  /** Compiles a program beside the types; rejects with what the compiler says. */
  async function compile(program: string): Promise<void> {
    await symlink(modules, join(folder, 'node_modules'));
    const compilerOptions = { module: 'nodenext', target: 'es2023', strict: true, skipLibCheck: true, noEmit: true };
    await write({
      'main.ts': program,
      'package.json': '{ "type": "module" }',
      'tsconfig.json': JSON.stringify({
        compilerOptions: { ...compilerOptions, types: ['node'] },
        files: ['main.ts', 'sql/queries.d.ts'],
      }),
    });
    const told = await run(process.execPath, [join(modules, 'typescript/bin/tsc'), '-p', folder]).catch(
      (error: { stdout: string }) => error,
    );
    expect(told.stdout).toBe('');
  }
});

it('the types in examples/sql-files are up to date', async () => {
  const args = ['sql', 'types', '--check', '--config', 'examples/sql-files/dbmanager.yaml'];
  await expect(runCommand(args)).resolves.toMatchObject({ code: 0, stderr: '' });
});

describe('the statements of a manager', () => {
  it('are those of SQL connections that name a folder, or of all SQL connections in the folder given', async () => {
    const kv = { type: 'kv', filepath: join(folder, 'kv') };
    const connections = {
      main: sqlite({ sql_path: join(folder, 'sql') }),
      other: sqlite({ filepath: ':memory:' }),
      kv,
    };
    await withManager(
      connections,
      async (manager) => {
        expect([...manager.sqlFiles().keys()]).toEqual(['main']);
        expect([...manager.sqlFiles(join(folder, 'sql')).keys()]).toEqual(['main', 'other']);
      },
      {},
    );
  });
});
