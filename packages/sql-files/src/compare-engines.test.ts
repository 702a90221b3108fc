import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { compareEngines, describeProblem, renderQueryTypes, type SqlType } from './index.js';

const TYPES: readonly SqlType[] = [
  { type: 'postgres', aliases: ['postgresql'], dialect: { placeholders: 'numbered' } },
  { type: 'mysql', dialect: { placeholders: 'question-mark' } },
  { type: 'mariadb', dialect: { placeholders: 'question-mark', akin: ['mysql'] } },
  { type: 'sqlite', dialect: { placeholders: 'question-mark' } },
  { type: 'mongodb' },
];

let path: string;

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'dbmanager-sql-'));
});

afterEach(() => {
  rmSync(path, { recursive: true });
});

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), text);
  }
}

function compare(...used: string[]) {
  const { names, engines, faults, differences } = compareEngines(path, used, TYPES);
  const texts = (problems: typeof faults) => problems.map((each) => describeProblem(each).replaceAll(`${path}/`, ''));
  return { names, engines: [...engines.keys()], faults: texts(faults), differences: texts(differences) };
}

describe('comparing engines', () => {
  it('finds nothing where all have the same queries, by whichever folder', () => {
    write({
      'mysql/users/by-id.sql': 'select `id` from users where id = :id',
      'common/users/all.sql': 'select * from users',
      'postgres/users/by-id.sql': 'select "id" from users where id = :id',
    });
    expect(compare('mariadb')).toEqual({
      names: ['users/all', 'users/by-id'],
      engines: ['mariadb', 'mysql', 'postgres'],
      faults: [],
      differences: [],
    });
  });

  it('finds what an engine lacks, one of a connection or one that has a folder', () => {
    write({ 'postgres/a.sql': 'select 1', 'mysql/b.sql': 'select 1', 'common/c.sql': 'select 1' });
    expect(compare('sqlite').differences).toEqual([
      'mysql/b.sql: sqlite has no such query: write sqlite/b.sql',
      'mysql/b.sql: postgres has no such query: write postgres/b.sql',
      'postgres/a.sql: sqlite has no such query: write sqlite/a.sql',
      'postgres/a.sql: mysql has no such query: write mysql/a.sql',
    ]);
  });

  it('does not ask others for what a file says is for its engine alone', () => {
    write({
      'postgres/a.sql': '-- dbmanager: only-here\nselect 1',
      'mysql/b.sql': 'select 1',
      'common/b.sql': 'select 1',
    });
    expect(compare('sqlite').differences).toEqual([]);
  });

  it('finds parameters of other names', () => {
    write({
      'postgres/a.sql': 'select :id, :name',
      'mysql/a.sql': 'select :name, :id',
      'sqlite/a.sql': 'select :user_id',
    });
    expect(compare().differences).toEqual([
      'sqlite/a.sql: has the parameters :user_id, and mysql/a.sql has the parameters :id, :name',
    ]);
  });

  it('tells a file that is wrong once, and does not call it missing', () => {
    write({ 'common/a.sql': 'select 1; select 2', 'postgres/a.sql': 'select 1' });
    expect(compare('sqlite', 'mysql')).toMatchObject({
      faults: ['common/a.sql:1: a second statement begins here; a file holds one'],
      differences: [],
    });
  });

  it('finds folders of no engine, links among them', () => {
    write({ 'postgresql/a.sql': 'select 1', 'mysq/a.sql': 'select 1', 'mongodb/a.sql': 'select 1' });
    symlinkSync('mysq', join(path, 'sqlte'));
    expect(compare('sqlite').faults).toEqual([
      'mongodb: is the folder of no type of SQL database',
      'mysq: is the folder of no type of SQL database; did you mean "mysql"?',
      'postgresql: is looked into by none; call it postgres',
      'sqlte: is the folder of no type of SQL database; did you mean "sqlite"?',
    ]);
  });

  it('says so when the folder is not there', () => {
    rmSync(path, { recursive: true });
    expect(compare('sqlite', 'mysql').faults).toEqual([
      `${path}: the folder of the statements cannot be read (ENOENT)`,
    ]);
    mkdirSync(path);
  });
});

describe('a file of types', () => {
  it('has each name with the names of its parameters, in order', () => {
    write({
      'common/users/by-id.sql': 'select :id, :größe',
      'mysql/all.sql': 'select 1',
      'postgres/own.sql': 'select :b, :a',
    });
    expect(
      renderQueryTypes([compareEngines(path, [], TYPES)]),
    ).toBe(`// Written by \`dbmanager sql types\`; do not edit.
export {};

declare module 'dbmanager' {
  interface SqlQueries {
    all: Record<never, never>;
    own: { a: unknown; b: unknown };
    'users/by-id': { 'größe': unknown; id: unknown };
  }
}
`);
  });

  it('takes either where two files of a name have other parameters', () => {
    write({ 'mysql/a.sql': 'select :id', 'postgres/a.sql': 'select :key' });
    expect(renderQueryTypes([compareEngines(path, [], TYPES)])).toContain('a: { id: unknown } | { key: unknown };');
  });
});
