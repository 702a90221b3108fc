import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { MssqlEndpoint } from '../mssql-endpoint.js';
import { MssqlStandIn } from '../mssql-stand-in.js';
import { TediousClient } from './tedious-client.js';

describe('T-SQL on a SQL Server stand-in', () => {
  let server: MssqlStandIn;
  let endpoint: MssqlEndpoint;
  let database: string;
  let client: TediousClient;

  beforeAll(async () => {
    server = await MssqlStandIn.start();
    endpoint = new MssqlEndpoint(server.url(), 'stand-in');
  });
  afterAll(async () => {
    expect(server.log).toBe('');
    await server.close();
  });
  beforeEach(async () => {
    database = await endpoint.createDatabase();
    client = await TediousClient.connect(endpoint.tedious(database));
    await client.batch(`
      CREATE TABLE people (
        id int IDENTITY(1, 1) NOT NULL CONSTRAINT pk_people PRIMARY KEY CLUSTERED,
        name nvarchar(20) NOT NULL CONSTRAINT uq_name UNIQUE,
        age int NULL CONSTRAINT df_age DEFAULT 7,
        at datetime2 NOT NULL DEFAULT SYSDATETIME()
      );
      INSERT INTO [people] ([name], [age]) VALUES (N'Ann', 30), (N'bob', DEFAULT), (N'cid', NULL)`);
  });
  afterEach(async () => {
    await client.close();
    await endpoint.dropDatabase(database);
  });

  const values = async (sql: string) => (await client.batch(sql)).values;

  it.each([
    ['SELECT TOP 1 name FROM people ORDER BY id DESC', [['cid']]],
    ['SELECT TOP (2) [name] FROM [dbo].[people] AS [p] WITH (NOLOCK) ORDER BY [p].[id]', [['Ann'], ['bob']]],
    ['SELECT name FROM people ORDER BY id OFFSET 1 ROWS FETCH NEXT 1 ROWS ONLY', [['bob']]],
    ['SELECT name FROM people ORDER BY id OFFSET 2 ROWS', [['cid']]],
    [`SELECT name FROM people WHERE name = 'ANN' AND name LIKE N'a%'`, [['Ann']]],
    [`SELECT 'x' + name + '-' + CAST(id AS varchar(10)) FROM people WHERE id = 1`, [['xAnn-1']]],
    [
      'SELECT ISNULL(age, -1), COALESCE(age, 0), LEN(name), IIF(age > 7, 1, 0) FROM people WHERE id <> 1',
      [
        [7, 7, 3, 0],
        [-1, 0, 3, 0],
      ],
    ],
    ['SELECT CASE WHEN age IS NULL THEN 0 ELSE age END AS a FROM people ORDER BY a', [[0], [7], [30]]],
    [
      'SELECT COUNT(*), MAX(age), SUM(age) FROM people GROUP BY age HAVING COUNT(*) > 0 ORDER BY 2 DESC',
      [
        [1, 30, 30],
        [1, 7, 7],
        [1, null, null],
      ],
    ],
    ['WITH young AS (SELECT * FROM people WHERE age < 20) SELECT name FROM young', [['bob']]],
    [
      'WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT i FROM n OPTION (MAXRECURSION 0)',
      [[1], [2], [3]],
    ],
    ['SELECT v.a, v.b FROM (VALUES (1, 2), (3, 4)) AS v (a, b) WHERE v.a > 1', [[3, 4]]],
    ['SELECT name FROM people WHERE EXISTS (SELECT 1 FROM people q WHERE q.age > people.age)', [['bob']]],
    ["SELECT a.name FROM people a INNER JOIN people b ON b.id = a.id + 1 WHERE b.name = 'bob'", [['Ann']]],
    ['DECLARE @n int = 2; SET @n += 1; SELECT @n AS n, @@TRANCOUNT AS t', [[3, 0]]],
    ['DECLARE @n nvarchar(20); SELECT @n = name FROM people WHERE id = 2; SELECT @n', [['bob']]],
    ['DECLARE @i int = 0; WHILE @i < 3 BEGIN SET @i = @i + 1; IF @i = 2 BREAK; END; SELECT @i', [[2]]],
    ["IF EXISTS (SELECT 1 FROM people) SELECT 'yes' ELSE SELECT 'no'", [['yes']]],
    ["IF OBJECT_ID(N'[dbo].[people]', N'U') IS NOT NULL SELECT 1", [[1]]],
    ["IF OBJECT_ID('missing') IS NULL BEGIN SELECT 1; SELECT 2 END", [[1], [2]]],
    [
      `SELECT DATEADD(day, 1, CAST('2024-02-28' AS date)), DATEDIFF(hour, '2024-01-01', '2024-01-02')`,
      [[new Date('2024-02-29Z'), 24]],
    ],
    [`EXEC sp_executesql N'SELECT @a + 1', N'@a int', @a = 41`, [[42]]],
    [`EXEC ('SELECT 5')`, [[5]]],
    [
      `SELECT /* a /* nested */ comment */ 1 -- and another\n, 'it''s', [a]]b] FROM (SELECT 2 AS [a]]b]) t`,
      [[1, `it's`, 2]],
    ],
    ['SELECT SCOPE_IDENTITY()', [[3]]],
    ['UPDATE people SET age = 8 OUTPUT inserted.age, inserted.name WHERE id = 2', [[8, 'bob']]],
    ['DELETE FROM people OUTPUT deleted.id WHERE age IS NULL', [[3]]],
    [
      `INSERT INTO people (name) OUTPUT INSERTED.id, INSERTED.age VALUES (N'dan'), (N'eve')`,
      [
        [4, 7],
        [5, 7],
      ],
    ],
    [
      'UPDATE p SET age = q.age FROM people AS p INNER JOIN people q ON q.id = 1 WHERE p.id = 2; SELECT age FROM people WHERE id = 2',
      [[30]],
    ],
    [
      "DELETE p FROM people p JOIN people q ON q.id = p.id + 1 WHERE q.name = 'bob'; SELECT name FROM people",
      [['bob'], ['cid']],
    ],
    ['SELECT id, name INTO #copy FROM people WHERE id < 3; SELECT COUNT(*) FROM #copy; DROP TABLE #copy', [[2]]],
    [
      `DECLARE @ids TABLE (id int, n nvarchar(20)); INSERT INTO people (name) OUTPUT inserted.id, inserted.name INTO @ids VALUES (N'dan'); SELECT * FROM @ids`,
      [[4, 'dan']],
    ],
    [
      `SET IDENTITY_INSERT people ON; INSERT INTO people (id, name) VALUES (50, N'dan'); SET IDENTITY_INSERT people OFF; INSERT INTO people (name) VALUES (N'eve'); SELECT MAX(id), SCOPE_IDENTITY() FROM people`,
      [[51, 51]],
    ],
    ["TRUNCATE TABLE people; INSERT INTO people (name) OUTPUT inserted.id VALUES (N'first')", [[1]]],
    [
      `DELETE FROM people; DBCC CHECKIDENT ('people', RESEED, 10); INSERT INTO people (name) OUTPUT inserted.id VALUES (N'x')`,
      [[11]],
    ],
  ])('runs %s', async (sql, expected) => {
    expect(await values(sql)).toEqual(expected);
  });

  it('compares a column as its collation says', async () => {
    const create =
      'CREATE TABLE codes (exact nvarchar(9) COLLATE Latin1_General_100_BIN2 PRIMARY KEY, loose nvarchar(9))';
    const insert = `${create}; INSERT INTO codes VALUES (N'a', N'a'), (N'A', N'A')`;
    const count = 'SELECT (SELECT COUNT(*) FROM codes WHERE exact = @x), (SELECT COUNT(*) FROM codes WHERE loose = @x)';
    expect(await values(`${insert}; DECLARE @x nvarchar(9) = N'a'; ${count}`)).toEqual([[1, 2]]);
  });

  it('merges', async () => {
    const sql = `MERGE INTO people AS t USING (VALUES (N'Ann', 31), (N'new', 1)) AS s (name, age) ON t.name = s.name
      WHEN MATCHED AND s.age > t.age THEN UPDATE SET t.age = s.age
      WHEN NOT MATCHED BY TARGET THEN INSERT (name, age) VALUES (s.name, s.age)
      WHEN NOT MATCHED BY SOURCE AND t.age IS NULL THEN DELETE
      OUTPUT inserted.name;`;
    expect(await values(sql)).toEqual([['Ann'], ['new'], ['cid']]);
    expect(await values('SELECT name, age FROM people ORDER BY id')).toEqual([
      ['Ann', 31],
      ['bob', 7],
      ['new', 1],
    ]);
  });

  it('changes tables that have rows', async () => {
    await client.batch(`
      CREATE TABLE posts (id int IDENTITY PRIMARY KEY, person int NOT NULL,
        CONSTRAINT fk_person FOREIGN KEY (person) REFERENCES people (id) ON DELETE CASCADE);
      INSERT INTO posts (person) VALUES (1);
      ALTER TABLE people ADD email nvarchar(50) NOT NULL CONSTRAINT df_email DEFAULT 'none', extra int;
      EXEC sp_rename 'people.name', 'title', 'COLUMN';
      CREATE INDEX ix_extra ON people (extra) WHERE extra IS NOT NULL`);
    const notNull = 'ALTER TABLE people ALTER COLUMN age bigint NOT NULL';
    await expect(client.batch(notNull)).rejects.toMatchObject({ number: 515 });
    await client.batch(`UPDATE people SET age = 1 WHERE age IS NULL; ${notNull}
      ALTER TABLE people ADD CONSTRAINT ck_age CHECK (age > 0);
      DROP INDEX ix_extra ON people; ALTER TABLE people DROP COLUMN extra`);
    await expect(client.batch('ALTER TABLE people DROP COLUMN email')).rejects.toMatchObject({ number: 5074 });
    await client.batch('ALTER TABLE people DROP CONSTRAINT df_email; ALTER TABLE people DROP COLUMN email');
    await expect(client.batch('UPDATE people SET age = 0')).rejects.toMatchObject({ number: 547 });
    expect((await client.batch('SELECT id, title, age FROM people ORDER BY id')).rows).toEqual([
      { id: 1, title: 'Ann', age: '30' },
      { id: 2, title: 'bob', age: '7' },
      { id: 3, title: 'cid', age: '1' },
    ]);
    await expect(client.batch(`INSERT INTO people (title) VALUES ('ANN')`)).rejects.toMatchObject({ number: 2627 });
    await client.batch(`EXEC sp_rename 'people', 'persons'; DELETE FROM persons WHERE id = 1`);
    expect(await values('SELECT COUNT(*) FROM posts')).toEqual([[0]]);
    await client.batch('DROP TABLE posts, persons');
  });

  it('undoes definitions with their transaction', async () => {
    await client.batch(
      `BEGIN TRAN; ALTER TABLE people ADD extra int; CREATE TABLE gone (a int); DROP TABLE people; ROLLBACK`,
    );
    expect(await values('SELECT COUNT(*) FROM people')).toEqual([[3]]);
    expect(await values(`SELECT name FROM sys.columns WHERE object_id = OBJECT_ID('people')`)).toEqual([
      ['id'],
      ['name'],
      ['age'],
      ['at'],
    ]);
    expect(await values(`SELECT OBJECT_ID('gone')`)).toEqual([[null]]);
  });

  it('keeps tables of several schemas apart', async () => {
    await client.batch('CREATE SCHEMA [other]');
    await client.batch(
      `CREATE TABLE other.people (id int PRIMARY KEY, ref int REFERENCES dbo.people (id)); INSERT INTO [other].[people] VALUES (9, 1)`,
    );
    expect(
      await values(
        `SELECT p.id, [other].[people].[ref] FROM dbo.people p JOIN [other].[people] ON [people].[ref] = p.id`,
      ),
    ).toEqual([[1, 1]]);
    expect(
      await values(
        `SELECT TABLE_SCHEMA FROM [${database}].INFORMATION_SCHEMA.TABLES WHERE TABLE_NAME = 'people' ORDER BY 1`,
      ),
    ).toEqual([['dbo'], ['other']]);
  });

  it('describes tables as schema tools ask for it', async () => {
    await client.batch(`CREATE TABLE posts (id uniqueidentifier DEFAULT NEWID(), person int, price decimal(10, 2), body nvarchar(max),
        kind varchar(10) CONSTRAINT ck_kind CHECK ([kind] IN ('a', 'b')), double AS (price * 2), PRIMARY KEY (id),
        CONSTRAINT fk_person FOREIGN KEY (person) REFERENCES people ON DELETE SET NULL);
      CREATE UNIQUE INDEX ix_person ON posts (person, kind) WHERE person IS NOT NULL;
      EXEC sp_addextendedproperty N'MS_Description', N'of a person', N'Schema', N'dbo', N'Table', N'posts', N'Column', N'body'`);
    expect(
      await values(`SELECT COLUMN_NAME, DATA_TYPE, IS_NULLABLE, COLUMN_DEFAULT, CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE
        FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'posts' ORDER BY ORDINAL_POSITION`),
    ).toEqual([
      ['id', 'uniqueidentifier', 'NO', '(newid())', null, null, null],
      ['person', 'int', 'YES', null, null, 10, 0],
      ['price', 'decimal', 'YES', null, null, 10, 2],
      ['body', 'nvarchar', 'YES', null, -1, null, null],
      ['kind', 'varchar', 'YES', null, 10, null, null],
      ['double', 'int', 'YES', null, null, 10, 0],
    ]);
    expect(await values(`SELECT definition FROM sys.check_constraints`)).toEqual([[`([kind]='b' OR [kind]='a')`]]);
    expect(
      await values(`SELECT i.name, i.is_unique, i.filter_definition, COL_NAME(ic.object_id, ic.column_id) FROM sys.indexes i
        JOIN sys.index_columns ic ON ic.object_id = i.object_id AND ic.index_id = i.index_id
        WHERE i.object_id = OBJECT_ID('posts') AND i.is_primary_key = 0 ORDER BY ic.key_ordinal`),
    ).toEqual([
      ['ix_person', true, '(person IS NOT NULL)', 'person'],
      ['ix_person', true, '(person IS NOT NULL)', 'kind'],
    ]);
    expect(
      await values(
        `SELECT fk.name, fk.delete_referential_action_desc, OBJECT_NAME(fk.referenced_object_id) FROM sys.foreign_keys fk`,
      ),
    ).toEqual([['fk_person', 'SET_NULL', 'people']]);
    expect(
      await values(
        `SELECT value FROM sys.fn_listextendedproperty(N'MS_Description', N'Schema', N'dbo', N'Table', N'posts', N'Column', N'body')`,
      ),
    ).toEqual([['of a person']]);
    await client.batch('CREATE VIEW names AS SELECT name FROM people');
    expect(await values('SELECT COUNT(*) FROM names')).toEqual([[3]]);
    expect(await values('SELECT VIEW_DEFINITION FROM INFORMATION_SCHEMA.VIEWS')).toEqual([
      ['CREATE VIEW [names] AS SELECT name FROM people'],
    ]);
  });

  it('says what it does not know', async () => {
    for (const sql of ['CREATE PROCEDURE p AS SELECT 1', 'SELECT 1 FOR JSON PATH', 'SET IMPLICIT_TRANSACTIONS ON']) {
      await expect(client.batch(sql)).rejects.toMatchObject({
        number: 50_001,
        message: expect.stringMatching(/stand-in/),
      });
    }
  });
});
