import type { SqlLexis } from '@dbmanager/core';
import { describe, expect, it } from '@jest/globals';
import { readStatement } from './read-statement.js';

const POSTGRES: SqlLexis = { nestedComments: true, dollarQuotes: true, backslashes: 'e-strings' };
const MYSQL: SqlLexis = { hashComments: true, executableComments: true, backslashes: 'all-strings', nameQuotes: ['`'] };
const MSSQL: SqlLexis = { nameQuotes: ['['], nameSigns: '@#', semicolons: 'optional', nestedComments: true };

const subject = (sql: string, lexis: SqlLexis = POSTGRES) => {
  const { operation, collection } = readStatement(sql, lexis);
  return collection === undefined ? operation : `${operation} ${collection}`;
};

describe('What a statement is about', () => {
  it.each([
    ['select * from users', 'SELECT users'],
    ['  -- of today\n /* all */ SELECT 1 FROM "Users" u', 'SELECT Users'],
    [
      'select (select max(id) from orders), extract(year from at) from only sales.users where a = 1',
      'SELECT sales.users',
    ],
    ['(select 1 from a) union (select 2 from b)', 'SELECT a'],
    ['select a is distinct from b from t', 'SELECT t'],
    ['select * from (select 1 from inner_table) as s', 'SELECT'],
    ['select n from generate_series(1, 10) as n', 'SELECT'],
    ["select 'from nowhere', 1", 'SELECT'],
    ['with recent as (select * from orders), x as (delete from y) update users set a = 1', 'UPDATE users'],
    ['insert into users (name) values ($1)', 'INSERT users'],
    ['insert into users select * from others', 'INSERT users'],
    ['update only users set a = 1', 'UPDATE users'],
    ['delete from users where id = 1', 'DELETE users'],
    ['merge into users using others on a = b when matched then delete', 'MERGE users'],
    ['create table if not exists users (id int)', 'CREATE TABLE users'],
    ['create unique index on users (name)', 'CREATE INDEX'],
    ['drop table if exists "users"', 'DROP TABLE users'],
    ['truncate users', 'TRUNCATE users'],
    ['alter table users add column a int', 'ALTER TABLE users'],
    ['call refresh_totals(1)', 'CALL refresh_totals'],
    ['BEGIN ISOLATION LEVEL SERIALIZABLE', 'BEGIN'],
    ['; commit', 'COMMIT'],
    ['selcet 1', 'OTHER'],
    ['', 'OTHER'],
    ["'a'", 'OTHER'],
  ])('%s is %s', (sql, expected) => {
    expect(subject(sql)).toBe(expected);
  });

  it.each([
    ['select * from `my db`.`users`', 'SELECT my db.users'],
    ['insert ignore into users values (1)', 'INSERT users'],
    ['replace into users values (1)', 'REPLACE users'],
    ['select "from x" from users # from y', 'SELECT users'],
  ])('on MySQL %s is %s', (sql, expected) => {
    expect(subject(sql, MYSQL)).toBe(expected);
  });

  it.each([
    ['select top (5) * from [dbo].[Users]', 'SELECT dbo.Users'],
    ['insert #work (a) values (@p1)', 'INSERT #work'],
    ['update top (3) users set a = 1', 'UPDATE users'],
    ['exec sp_who', 'EXEC sp_who'],
  ])('on SQL Server %s is %s', (sql, expected) => {
    expect(subject(sql, MSSQL)).toBe(expected);
  });

  it('is read from the beginning of a text, however long the rest', () => {
    const values = Array.from({ length: 200_000 }, (_, n) => `(${n})`).join(', ');
    expect(subject(`insert into numbers values ${values}`)).toBe('INSERT numbers');
    expect(subject(`select ${'1, '.repeat(200_000)} 2 from numbers`)).toBe('SELECT');
  });
});
