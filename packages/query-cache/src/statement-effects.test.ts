import type { SqlLexis } from '@dbmanager/core';
import { describe, expect, it } from '@jest/globals';
import { EVERY_TABLE, readEffects } from './statement-effects.js';

const STANDARD: SqlLexis = {};
const POSTGRES: SqlLexis = { dollarQuotes: true, backslashes: 'e-strings', nestedComments: true };
const MYSQL: SqlLexis = { backslashes: 'all-strings', nameQuotes: ['`'], hashComments: true, executableComments: true };
const MSSQL: SqlLexis = { nameQuotes: ['['], nameSigns: '@#', semicolons: 'optional' };

describe('of a statement that only reads, the tables', () => {
  it.each<[string, SqlLexis, readonly string[]]>([
    ['select * from users', STANDARD, ['users']],
    ['SELECT * FROM Sales.Orders o', STANDARD, ['orders']],
    ['select * from only "Users" as u where u.a = 1;', POSTGRES, ['users']],
    ['select a, (select max(b) from inner_one) from outer_one', STANDARD, ['inner_one', 'outer_one']],
    [
      'select * from a join b on a.x = f(b.x, 1), c left join d using (x, y) where a.y in (1, 2)',
      STANDARD,
      ['a', 'b', 'c', 'd'],
    ],
    ['select * from (a cross join b), (select * from c) as s order by 1, 2', STANDARD, ['a', 'b', 'c']],
    ['with r(n) as (select 1 union all select n + 1 from r) select * from r, t group by x, y', STANDARD, ['r', 't']],
    ['(select x from a) union (select y from b) limit 1, 2', MYSQL, ['a', 'b']],
    ['select `x` from `shop`.`orders` # from nowhere\n', MYSQL, ['orders']],
    ['select [x] from [dbo]..[Order Lines] with (nolock) join #temp on 1 = 1', MSSQL, ['order lines', '#temp']],
    ["select extract(year from day), trim(both 'x' from name) from t where a is distinct from 1", POSTGRES, ['t']],
    ["select 'from x', replace(a, 'b', 'c') from t -- from y", STANDARD, ['t']],
    ['select share, "lock" from stocks', STANDARD, ['stocks']],
    ['select 1', STANDARD, []],
    [
      'with a as (table users) select * from a where id in (table ids) union table "More"',
      POSTGRES,
      ['a', 'users', 'ids', 'more'],
    ],
    ['select * from a for system_time all, b', MSSQL, ['a', 'b']],
    ['select * from a offset, b', MYSQL, ['a', 'b']],
    ['select * from quick where a = 1', STANDARD, ['quick']],
    ['select * from fail f join ignore on true, abort', STANDARD, ['fail', 'ignore', 'abort']],
  ])('%s', (sql, lexis, tables) => {
    const { reads, writes } = readEffects(sql, lexis);
    expect(new Set(reads)).toEqual(new Set(tables));
    expect(writes).toEqual([]);
  });
});

describe('reads nothing that could be kept', () => {
  it.each<[string, SqlLexis]>([
    ['select * from t for update', STANDARD],
    ['select * from t for no key update of t', POSTGRES],
    ['select * from t lock in share mode', MYSQL],
    ['select * from my_function(1)', POSTGRES],
    ['select * into copy from t', POSTGRES],
    ['select 1 from t; select 2 from t', STANDARD],
    ['with gone as (delete from t returning *) select * from gone', POSTGRES],
    ['select * from U&"d\\0061ta"', POSTGRES],
    ['select * from {table}', STANDARD],
    ['insert into t values (1) returning *', POSTGRES],
    ['show tables', MYSQL],
    ['call p()', STANDARD],
    ['', STANDARD],
  ])('%s', (sql, lexis) => {
    expect(readEffects(sql, lexis).reads).toBeUndefined();
  });
});

describe('of a statement that writes, the tables', () => {
  it.each<[string, SqlLexis, readonly string[]]>([
    ['insert into t (a, b) values (1, 2)', STANDARD, ['t']],
    ['insert or replace into main.t values (1)', STANDARD, ['t']],
    ['insert into t select * from u', STANDARD, ['t']],
    ['INSERT IGNORE t SET a = 1 ON DUPLICATE KEY UPDATE a = 2', MYSQL, ['t']],
    ['insert into t values (1) on conflict (a) do update set a = 2', POSTGRES, ['t']],
    ['replace into t values (1)', MYSQL, ['t']],
    ['update only "T" set a = 1 where b in (select b from u)', POSTGRES, ['t', 'u']],
    ['update a join b on a.x = b.x set a.y = 1', MYSQL, ['a', 'b']],
    ['update x set y = 1 from tables as x', MSSQL, ['x', 'tables']],
    ['delete from t where a = 1', STANDARD, ['t']],
    ['delete t where a = 1', MSSQL, ['t']],
    ['delete a, b from a join b using (x)', MYSQL, ['a', 'b']],
    ['truncate table a, b', POSTGRES, ['a', 'b']],
    [
      'merge into t as x using s on x.a = s.a when matched then update set b = 1 when not matched then insert (a) values (1)',
      POSTGRES,
      ['t'],
    ],
    [
      'with gone as (delete from t returning *) insert into archive select * from gone',
      POSTGRES,
      ['archive', 'gone', 't'],
    ],
    ['update only quick q set a = 1', POSTGRES, ['quick']],
    ['merge into only t using s on true when matched then delete', POSTGRES, ['t']],
    ['select 1; delete from t', POSTGRES, ['t']],
    ['declare @n int = 1 insert t values (@n) update u set a = @n', MSSQL, ['t', 'u']],
    ['/*!50000 insert into t values (1) */', MYSQL, ['t']],
    ['INSERT BULK [dbo].[items]', MSSQL, ['items']],
    ['delete top (5) from t', MSSQL, ['t']],
    ['update top (5 + (1)) percent t set a = s.a from s where s.id = t.id', MSSQL, ['t', 's']],
    ['insert into quick (a) values (1)', STANDARD, ['quick']],
    ['insert into "T" (a) values (1)', STANDARD, ['t']],
    ['update ignore set a = 1', STANDARD, ['ignore']],
    ['update low_priority ignore t set a = 1', MYSQL, ['t']],
  ])('%s', (sql, lexis, tables) => {
    const { reads, writes } = readEffects(sql, lexis);
    expect(reads).toBeUndefined();
    expect(new Set(writes)).toEqual(new Set(tables));
  });

  it.each<[string, SqlLexis]>([
    ['create table t (a int)', STANDARD],
    ['alter table t add b int', STANDARD],
    ['call p()', MYSQL],
    ['do $$ begin delete from t; end $$', POSTGRES],
    ['copy t from stdin', POSTGRES],
    ['explain analyze delete from t', POSTGRES],
    ['sp_rename a, b', MSSQL],
    ['select 1 exec p', MSSQL],
    ["commit prepared 'x'", POSTGRES],
    ['select * into copy from t', POSTGRES],
    ['begin not atomic delete from t; end', MYSQL],
    ['if (1 = 1) then delete from t; end if', MYSQL],
  ])('that cannot be told are all: %s', (sql, lexis) => {
    expect(readEffects(sql, lexis).writes).toEqual([EVERY_TABLE]);
  });
});

describe('what becomes of the transaction', () => {
  it.each<[string, SqlLexis, readonly string[]]>([
    ['BEGIN ISOLATION LEVEL SERIALIZABLE; SET LOCAL statement_timeout = 1', POSTGRES, ['begin']],
    ['start transaction read only', MYSQL, ['begin']],
    ['begin tran', MSSQL, ['begin']],
    ['COMMIT TRANSACTION', MSSQL, ['commit']],
    ['end', POSTGRES, ['commit']],
    ['begin; insert into t values (1); commit', POSTGRES, ['begin', 'commit']],
    ['rollback; begin', POSTGRES, ['rollback', 'begin']],
    ['set @@session.autocommit = 1', MYSQL, ['perhaps']],
    ['lock tables t write', MYSQL, ['perhaps']],
    ['analyze table t', MYSQL, ['perhaps']],
    ['release a', STANDARD, ['perhaps']],
    ['rollback', POSTGRES, ['rollback']],
    ['ROLLBACK TO SAVEPOINT "a"', POSTGRES, []],
    ['savepoint a', POSTGRES, []],
    ['if 1 = 1 begin insert t values (1) end', MSSQL, []],
    ['set search_path = x', POSTGRES, []],
    ['select 1', POSTGRES, []],
  ])('%s', (sql, lexis, controls) => {
    expect(readEffects(sql, lexis).controls).toEqual(controls);
  });
});
