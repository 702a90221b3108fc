import type { SqlLexis } from '@dbmanager/core';
import { MSSQL_LEXIS } from '@dbmanager/provider-mssql';
import { MYSQL_LEXIS } from '@dbmanager/provider-mysql';
import { POSTGRES_LEXIS } from '@dbmanager/provider-postgres';
import { describe, expect, it } from '@jest/globals';
import { transactionControl } from './transaction-control.js';

const SQLITE_LEXIS: SqlLexis = { nameQuotes: ['`', '['] };

describe('control of transactions in a text', () => {
  it.each([
    ['COMMIT', 'COMMIT'],
    ['commit work', 'COMMIT'],
    ['  \n\tEnd;', 'END'],
    ['abort', 'ABORT'],
    ['begin isolation level serializable', 'BEGIN'],
    ['START  TRANSACTION read only', 'START TRANSACTION'],
    ['prepare transaction $$x$$', 'PREPARE TRANSACTION'],
    ['commit prepared $$x$$', 'COMMIT'],
    ['rollback', 'ROLLBACK'],
    ['rollback and chain', 'ROLLBACK'],
    ['ROLLBACK WORK', 'ROLLBACK'],
    ['/* a /* nested */ comment */ commit', 'COMMIT'],
    ['-- first\n--second\ncommit', 'COMMIT'],
    ["insert into t values ('a;''b'); commit", 'COMMIT'],
    ["select e'\\'; '; commit; select '", 'COMMIT'],
    ['select $$;$$; commit', 'COMMIT'],
    [';;commit', 'COMMIT'],
    ['select "a""; b"; rollback -- to x', 'ROLLBACK'],
    ['(select 1);(commit)', 'COMMIT'],
    ['create table begin (a int); commit', 'COMMIT'],
    ["create function begin() returns int language sql as 'select 1'; commit", 'COMMIT'],
    ['create function f() returns int begin atomic select case when true then 1 end; end; commit', 'COMMIT'],
  ])('is found in %j', (sql, words) => {
    expect(transactionControl(sql, POSTGRES_LEXIS)).toBe(words);
  });

  it.each([
    'select 1',
    "select 'commit'",
    'select "commit" from "begin"',
    'select $$ ; commit; $$',
    'select $a$ ; $$ commit; $a$',
    '-- ; commit',
    '/* ; /* commit; */ rollback; */ select 1',
    "select e'\\'; commit; '",
    'update t set commit = 1 where begin < "end"',
    'select case when a then b end from t',
    'savepoint one',
    'release savepoint one',
    'rollback to savepoint one',
    'ROLLBACK TRANSACTION TO one',
    'rollback work to one',
    'prepare plan as select 1',
    'create function f() returns int begin atomic select case when true then 1 end; end',
    "select startdate, ended from commits where prepared and x = 'start transaction'",
  ])('is not seen in %j', (sql) => {
    expect(transactionControl(sql, POSTGRES_LEXIS)).toBeUndefined();
  });

  it.each([
    ['/* /* not nested */ commit', 'COMMIT'],
    ["-- a carriage return does not end it \r'\ncommit -- '", 'COMMIT'],
    ['select `a;` ; commit', 'COMMIT'],
    ['\ufeffcommit', 'COMMIT'],
    ['create trigger a after insert on t begin select case 1 when 1 then 2 end; end; commit', 'COMMIT'],
    ['create trigger begin after insert on t begin select 1; end; commit', 'COMMIT'],
  ])('is read in SQLite as SQLite does: found in %j', (sql, words) => {
    expect(transactionControl(sql, SQLITE_LEXIS)).toBe(words);
  });

  it.each([
    'create trigger a after insert on t begin update t set a = 1; delete from u; end',
    'create temp trigger if not exists a after insert on t begin select 1; end;',
    'select [commit;] from `begin; x`',
    '-- a \r commit',
  ])('is read in SQLite as SQLite does: not seen in %j', (sql) => {
    expect(transactionControl(sql, SQLITE_LEXIS)).toBeUndefined();
  });

  it.each([
    ["# it's a comment\ncommit", 'COMMIT'],
    ['/*! commit */', 'COMMIT'],
    ['/*!50000 commit */', 'COMMIT'],
    ['/*M!100100 commit */', 'COMMIT'],
    ['select 1--1; commit', 'COMMIT'],
    ["select 'a\\'; '; commit", 'COMMIT'],
    ['select "a\\"; "; rollback', 'ROLLBACK'],
    ["-- it's\ncommit", 'COMMIT'],
  ])('is read in MySQL as MySQL does: found in %j', (sql, words) => {
    expect(transactionControl(sql, MYSQL_LEXIS)).toBe(words);
  });

  it.each([
    '# ; commit',
    '-- ; commit',
    '--\tcommit',
    '/* ; commit */',
    'select "; commit"',
    'select `; commit`',
    'rollback to `a`',
  ])('is read in MySQL as MySQL does: not seen in %j', (sql) => {
    expect(transactionControl(sql, MYSQL_LEXIS)).toBeUndefined();
  });

  it.each([
    ['COMMIT', 'COMMIT'],
    ['select 1 commit', 'COMMIT'],
    ['if @@trancount > 0 begin commit transaction end', 'COMMIT'],
    ['BEGIN TRAN', 'BEGIN TRAN'],
    ['begin /* /* a */ */ transaction one', 'BEGIN TRANSACTION'],
    ['BEGIN DISTRIBUTED TRAN', 'BEGIN DISTRIBUTED'],
    ['BEGIN TRY ROLLBACK END TRY BEGIN CATCH END CATCH', 'ROLLBACK'],
    ['rollback', 'ROLLBACK'],
    ['rollback work', 'ROLLBACK'],
    ['ROLLBACK TRAN; SELECT 1', 'ROLLBACK'],
    ['ROLLBACK TRANSACTION SELECT 1', 'ROLLBACK'],
    ['select [a; commit] from t rollback', 'ROLLBACK'],
    ["select 'it''s' commit", 'COMMIT'],
    ['execute p; alter table t add a int; commit', 'COMMIT'],
  ])('is read in SQL Server as SQL Server does: found in %j', (sql, words) => {
    expect(transactionControl(sql, MSSQL_LEXIS)).toBe(words);
  });

  it.each([
    'BEGIN SELECT 1 END',
    'if 1 = 1 begin insert t values (1) end else begin delete t end',
    'BEGIN TRY SELECT 1 / 0 END TRY BEGIN CATCH THROW END CATCH',
    'SAVE TRAN one',
    'ROLLBACK TRAN one',
    'ROLLBACK TRANSACTION [commit] SELECT 1',
    'ROLLBACK TRAN @name',
    'DECLARE @commit int; SELECT @commit, #rollback.begin_transaction FROM #rollback',
    'SELECT \'commit\', [commit], "rollback" -- commit\n/* ; /* commit */ rollback */',
    'SELECT case when a = 1 then b end FROM t',
    'CREATE PROCEDURE p AS BEGIN TRAN; COMMIT',
    '-- one\nCREATE OR ALTER TRIGGER r ON t AFTER INSERT AS ROLLBACK',
    'alter proc p as begin transaction rollback',
  ])('is read in SQL Server as SQL Server does: not seen in %j', (sql) => {
    expect(transactionControl(sql, MSSQL_LEXIS)).toBeUndefined();
  });
});
