import type { SqlLexis } from '@dbmanager/core';
import { describe, expect, it } from '@jest/globals';
import { splitStatements } from './split-statements.js';

const MYSQL: SqlLexis = { hashComments: true, executableComments: true, backslashes: 'all-strings', nameQuotes: ['`'] };
const SQLITE: SqlLexis = { nameQuotes: ['`', '['] };
const POSTGRES: SqlLexis = { nestedComments: true, dollarQuotes: true, backslashes: 'e-strings', lineEnds: 'cr-or-lf' };

const texts = (script: string, lexis: SqlLexis) => splitStatements(script, lexis).map(({ sql }) => sql);

describe('splitStatements', () => {
  it('splits at semicolons, the last of which may be missing', () => {
    expect(texts('create table a (x int);\ncreate table b (x int)', SQLITE)).toEqual([
      'create table a (x int)',
      'create table b (x int)',
    ]);
  });

  it('leaves out what holds nothing but comments', () => {
    expect(texts('-- nothing;\n;; /* here; */ ', SQLITE)).toEqual([]);
    expect(texts('# nothing;\n', MYSQL)).toEqual([]);
  });

  it('tells the line on which a statement begins, after its comments', () => {
    const script = '-- first\n\nselect 1;\n\n/* two\nlines */ select 2;';
    expect(splitStatements(script, SQLITE).map(({ line }) => line)).toEqual([3, 6]);
  });

  it('keeps semicolons in literals, names, comments and dollar quotes', () => {
    const inside = ["select ';'", 'select 1 as ";"', 'select 1 -- ;\n+ 1', 'select /* ; */ 1'];
    for (const statement of inside) expect(texts(`${statement}; select 2`, SQLITE)).toEqual([statement, 'select 2']);
    expect(texts(String.raw`select '\';'; select 2`, MYSQL)).toHaveLength(2);
    expect(texts('do $x$ begin perform 1; end $x$; select 2', POSTGRES)).toHaveLength(2);
  });

  it.each([
    ['a trigger', 'create trigger t after insert on a begin update b set x = 1; delete from c; end', SQLITE],
    [
      'a trigger with CASE',
      'create temp trigger t after insert on a begin select case new.x when 1 then 2 end; select 1; end',
      SQLITE,
    ],
    ['a procedure', 'create procedure p() begin if 1 then select 1; end if; begin select 2; end; end', MYSQL],
    [
      'a procedure with loops and CASE',
      'create or replace definer = root@localhost procedure p() begin l: loop leave l; end loop; while 0 do select 1; ' +
        'end while; case 1 when 1 then select 1; else select 2; end case; repeat select 1; until 1 end repeat; end',
      MYSQL,
    ],
    ['a block of MariaDB', 'begin not atomic select 1; select 2; end', MYSQL],
    ['a function of the standard', 'create function f() returns int begin atomic select 1; select 2; end', POSTGRES],
    ['a function of one statement', 'create function f() returns int return 1', MYSQL],
    ['a table that has columns named so', 'create table event (begin int, x int)', MYSQL],
    ['a transaction of its own', 'begin', SQLITE],
  ])('takes %s for one statement', (_what, statement, lexis) => {
    expect(texts(`select 0; ${statement}; select 3;`, lexis)).toEqual(['select 0', statement, 'select 3']);
  });

  it('takes what MySQL executes in a comment for a statement', () => {
    expect(texts('/*!40101 set names utf8 */; select 1', MYSQL)).toHaveLength(2);
  });
});
