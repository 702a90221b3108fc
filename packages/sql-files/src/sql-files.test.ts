import { mkdirSync, mkdtempSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { SqlDialect } from '@dbmanager/core';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SqlFiles, SqlFilesError, type SqlFilesOptions } from './index.js';

const POSTGRES: SqlDialect = { placeholders: 'numbered', lexis: { dollarQuotes: true, nestedComments: true } };
const MARIADB: SqlDialect = { placeholders: 'question-mark', lexis: { hashComments: true }, akin: ['mysql'] };
const MSSQL: SqlDialect = { placeholders: 'at-numbered', lexis: { semicolons: 'optional' } };

let path: string;

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'dbmanager-sql-'));
});

afterEach(() => {
  rmSync(path, { recursive: true });
});

function write(files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), text);
  }
}

const filesOf = (options: Partial<SqlFilesOptions> = {}) =>
  new SqlFiles({ path, type: 'postgres', dialect: POSTGRES, connectionName: 'main', ...options });

/** What `act` throws. */
function thrown(act: () => unknown): Error & { code?: string } {
  try {
    act();
  } catch (error) {
    return error as Error;
  }
  throw new Error('expected an error');
}

/** The problems of all files, without the folder before their names. */
function problems(options?: Partial<SqlFilesOptions>): string[] {
  const error = thrown(() => filesOf(options).load());
  expect(error).toBeInstanceOf(SqlFilesError);
  return (error as SqlFilesError).problems.map(
    ({ file, line, message }) => `${file.replace(`${path}/`, '')}:${line ?? '-'} ${message}`,
  );
}

describe('SqlFiles', () => {
  it('finds a query in the folder of its type, of a type akin to it, else in the common one', () => {
    write({
      'mariadb/own.sql': 'select 1',
      'mysql/own.sql': 'select 2',
      'mysql/akin.sql': 'select 3',
      'common/akin.sql': 'select 4',
      'common/shared.sql': 'select 5',
      'postgres/other.sql': 'select 6',
    });
    const files = filesOf({ type: 'mariadb', dialect: MARIADB });
    expect(files.names()).toEqual(['akin', 'own', 'shared']);
    expect(files.names().map((name) => files.text(name))).toEqual(['select 3', 'select 1', 'select 5']);
  });

  it('names queries by their folders, and tells their parameters', () => {
    write({
      'common/users/by-id.sql': 'select * from users where id = :id and (:tag is null or tag = :tag)\n',
      'common/users/v2.old/all.sql': 'select * from users',
      'common/README.md': '# no query',
      'common/.hidden/x.sql': 'broken; twice',
    });
    const files = filesOf();
    expect(files.names()).toEqual(['users/by-id', 'users/v2.old/all']);
    expect(files.get('users/by-id')).toEqual({
      name: 'users/by-id',
      file: join(path, 'common/users/by-id.sql'),
      sql: 'select * from users where id = :id and (:tag is null or tag = :tag)',
      parameters: ['id', 'tag'],
      onlyHere: false,
    });
  });

  it('keeps comments, and drops a byte order mark, carriage returns and what ends the statement', () => {
    write({ 'common/a.sql': "\uFEFF-- by id\r\nselect ';' /* one; two */,\r\n :id ;\r\n-- end\r\n" });
    expect(filesOf().text('a')).toBe("-- by id\nselect ';' /* one; two */,\n :id");
  });

  it('reads several statements as one batch where semicolons are optional', () => {
    write({ 'mssql/a.sql': 'declare @n int = :n; select @n;' });
    expect(filesOf({ type: 'mssql', dialect: MSSQL }).text('a')).toBe('declare @n int = :n; select @n;');
  });

  it('tells everything that is wrong at once, with its place', () => {
    write({
      'common/batch.sql': 'select 1;\n\n-- and\nselect 2',
      'common/empty.sql': '-- nothing\n',
      'common/latin.sql': Uint8Array.of(0x2d, 0x2d, 0xe9),
      'common/my query.sql': 'select 1',
      'common/odd folder/a.sql': 'select 1',
      'common/SHOUTED.SQL': 'select 1',
      'common/utf16.sql': Buffer.from('select 1', 'utf16le'),
      'postgres/numbered.sql': '\nselect $1',
      'postgres/transaction.sql': 'begin',
      'stray.sql': 'select 1',
    });
    expect(problems()).toEqual(['stray.sql:- stands beside the folders; move it into common']);
    unlinkSync(join(path, 'stray.sql'));
    expect(problems()).toEqual([
      'common/SHOUTED.SQL:- is no name; write letters, digits, "_", "-" and ".", and end it in .sql',
      'common/batch.sql:4 a second statement begins here; a file holds one',
      'common/empty.sql:- holds no statement',
      'common/latin.sql:- is not text in UTF-8',
      'common/my query.sql:- is no name; write letters, digits, "_", "-" and ".", and end it in .sql',
      'common/odd folder:- is no name; write letters, digits, "_", "-" and "."',
      'common/utf16.sql:- is not text in UTF-8',
      'postgres/numbered.sql:2 has the parameter $1; give it a name, as in :id',
      'postgres/transaction.sql:1 BEGIN is not for a file; transaction() begins and ends one',
    ]);
  });

  it('says so when the folder is not there', () => {
    const error = thrown(() => filesOf({ path: join(path, 'gone') }).names());
    expect(error).toMatchObject({ code: 'DBM_SQL_FILES', connectionName: 'main', option: 'sql_path' });
    expect(error.message).toContain(`${join(path, 'gone')}: the folder of the statements cannot be read (ENOENT)`);
  });

  it('is empty, and no error, where no engine has a folder', () => {
    expect(filesOf().names()).toEqual([]);
  });

  describe.each([false, true])('with reload: %s', (reload) => {
    it('names the query that is missing, where it was looked for, and what was meant', () => {
      write({ 'postgres/users/by-id.sql': 'select 1' });
      const error = thrown(() => filesOf({ reload }).text('users/by-di'));
      expect(error).toMatchObject({ code: 'DBM_UNKNOWN_QUERY', connectionName: 'main' });
      expect(error.message).toBe(
        'connection "main": there is no query "users/by-di": none of postgres/users/by-di.sql, common/users/by-di.sql ' +
          `is in ${path}; did you mean "users/by-id"?`,
      );
    });

    it.each([
      '../secret',
      'users/../../secret',
      '/etc/passwd',
      'users//x',
      'users\\x',
      '.',
      '',
      'users/',
      'a\0b',
      '.hidden',
      'C:x',
      'a..b',
    ])('refuses the name %j', (name) => {
      write({ 'common/a.sql': 'select 1' });
      writeFileSync(join(path, 'secret.sql.txt'), 'secret');
      expect(thrown(() => filesOf({ reload }).text(name))).toMatchObject({
        code: 'DBM_INVALID_OPTION',
        option: 'name',
      });
    });

    it('knows names by their letters alone, whatever the file system does', () => {
      write({ 'common/users.sql': 'select 1' });
      expect(thrown(() => filesOf({ reload }).text('Users'))).toMatchObject({ code: 'DBM_UNKNOWN_QUERY' });
    });

    it('follows links inside the folder, and refuses those that lead out, in circles or nowhere', () => {
      const outside = mkdtempSync(join(tmpdir(), 'dbmanager-outside-'));
      try {
        writeFileSync(join(outside, 'secret.sql'), 'select 1');
        write({ 'mysql/a.sql': 'select 1' });
        symlinkSync('mysql', join(path, 'postgres'));
        expect(filesOf({ reload }).text('a')).toBe('select 1');
        unlinkSync(join(path, 'postgres'));
        mkdirSync(join(path, 'postgres'));
        symlinkSync(join(outside, 'secret.sql'), join(path, 'postgres/file.sql'));
        symlinkSync(outside, join(path, 'postgres/folder'));
        symlinkSync('.', join(path, 'postgres/circle'));
        symlinkSync('gone.sql', join(path, 'postgres/nowhere.sql'));
        expect(problems({ reload })).toEqual([
          'postgres/circle:- is a link that leads back into itself',
          'postgres/file.sql:- leads out of the folder of the statements',
          'postgres/folder:- leads out of the folder of the statements',
          'postgres/nowhere.sql:- is a link that leads nowhere (ENOENT)',
        ]);
        expect(thrown(() => filesOf({ reload }).text('file'))).toMatchObject({ code: 'DBM_SQL_FILES' });
      } finally {
        rmSync(outside, { recursive: true });
      }
    });
  });

  it('reads all files once, when the first is asked for', () => {
    write({ 'common/a.sql': 'select 1', 'common/b.sql': 'select 2' });
    const files = filesOf();
    expect(files.text('a')).toBe('select 1');
    write({ 'common/b.sql': 'select 3' });
    expect(files.text('b')).toBe('select 2');
    files.load();
    expect(files.text('b')).toBe('select 3');
  });

  it('keeps what it had when reading anew finds something wrong', () => {
    write({ 'common/a.sql': 'select 1' });
    const files = filesOf();
    files.load();
    write({ 'common/a.sql': '' });
    expect(thrown(() => files.load())).toMatchObject({ code: 'DBM_SQL_FILES' });
    expect(files.text('a')).toBe('select 1');
  });

  it('with reload sees each edit at once, and what is wrong in the file asked for alone', () => {
    write({ 'common/a.sql': 'select 1', 'common/b.sql': 'broken; twice' });
    const files = filesOf({ reload: true });
    for (let edit = 0; edit < 20; edit++) {
      write({ 'common/a.sql': `select ${edit % 10}` });
      expect(files.text('a')).toBe(`select ${edit % 10}`);
    }
    write({ 'postgres/a.sql': 'select 7' });
    expect(files.text('a')).toBe('select 7');
    expect(thrown(() => files.text('b'))).toMatchObject({ code: 'DBM_SQL_FILES' });
    unlinkSync(join(path, 'postgres/a.sql'));
    unlinkSync(join(path, 'common/a.sql'));
    expect(thrown(() => files.text('a'))).toMatchObject({ code: 'DBM_UNKNOWN_QUERY' });
  });
});
