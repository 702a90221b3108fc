import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { TYPES } from 'tedious';
import { MssqlEndpoint } from '../mssql-endpoint.js';
import { MssqlStandIn } from '../mssql-stand-in.js';
import { TediousClient, type TediousParameter } from './tedious-client.js';

describe('requests to a SQL Server stand-in', () => {
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
  });
  afterEach(async () => {
    await client.close();
    await endpoint.dropDatabase(database);
  });

  const values: readonly (readonly [string, TediousParameter])[] = [
    ['bit', { name: 'value', type: TYPES.Bit, value: true }],
    ['tinyint', { name: 'value', type: TYPES.TinyInt, value: 255 }],
    ['smallint', { name: 'value', type: TYPES.SmallInt, value: -32_768 }],
    ['int', { name: 'value', type: TYPES.Int, value: 2_147_483_647 }],
    ['bigint', { name: 'value', type: TYPES.BigInt, value: '9007199254740993' }],
    ['float', { name: 'value', type: TYPES.Float, value: 0.1 }],
    ['real', { name: 'value', type: TYPES.Real, value: 0.5 }],
    ['decimal(10,3)', { name: 'value', type: TYPES.Decimal, value: 12.34, options: { precision: 10, scale: 3 } }],
    ['money', { name: 'value', type: TYPES.Money, value: -12.5 }],
    ['nvarchar(50)', { name: 'value', type: TYPES.NVarChar, value: `O'Brien "quoted" \\ ünï😀 \n` }],
    ['varchar(50)', { name: 'value', type: TYPES.VarChar, value: 'plain' }],
    ['nvarchar(max)', { name: 'value', type: TYPES.NVarChar, value: 'x'.repeat(100_000) }],
    ['varbinary(max)', { name: 'value', type: TYPES.VarBinary, value: Buffer.from([0, 255, 7]) }],
    [
      'uniqueidentifier',
      { name: 'value', type: TYPES.UniqueIdentifier, value: '6F9619FF-8B86-D011-B42D-00C04FC964FF' },
    ],
    ['date', { name: 'value', type: TYPES.Date, value: new Date('2024-02-29T00:00:00.000Z') }],
    ['datetime', { name: 'value', type: TYPES.DateTime, value: new Date('2024-02-29T12:00:00.123Z') }],
    ['datetime2', { name: 'value', type: TYPES.DateTime2, value: new Date('0999-02-28T23:59:59.999Z') }],
    ['smalldatetime', { name: 'value', type: TYPES.SmallDateTime, value: new Date('2024-02-29T12:01:00.000Z') }],
    ['datetimeoffset', { name: 'value', type: TYPES.DateTimeOffset, value: new Date('2024-02-29T12:00:00.123Z') }],
    ['time', { name: 'value', type: TYPES.Time, value: new Date('1970-01-01T23:59:59.999Z') }],
  ];

  it.each(values)('gives a parameter of type %s back as it was, and NULL', async (_name, parameter) => {
    for (const value of [parameter.value, null]) {
      const { rows } = await client.query('SELECT @value AS value', { ...parameter, value });
      expect(rows).toEqual([{ value }]);
    }
  });

  it.each(values)('keeps a value in a column of type %s', async (name, parameter) => {
    await client.batch(`CREATE TABLE kept (value ${name} NULL)`);
    for (const value of [parameter.value, null]) {
      await client.query('INSERT INTO kept VALUES (@value)', { ...parameter, value });
    }
    expect((await client.batch('SELECT value FROM kept')).values).toEqual([[parameter.value], [null]]);
    const found = await client.query('SELECT COUNT(*) FROM kept WHERE value = @value', parameter);
    expect(found.values).toEqual([[1]]);
  });

  it('gives literals and expressions their types', async () => {
    const { rows, columns } = await client.batch(
      `SELECT 1 AS i, 3000000000 AS b, 1.5E0 AS f, N'a' + 'b' AS s, NULL AS n, 0xFF00 AS x, CAST('2024-02-29' AS date) AS d, 1 + 1`,
    );
    expect(rows).toEqual([
      { i: 1, b: '3000000000', f: 1.5, s: 'ab', n: null, x: Buffer.from([255, 0]), d: new Date('2024-02-29Z'), '': 2 },
    ]);
    expect(columns[0]?.map(({ type }) => type.name)).toEqual(
      'IntN IntN FloatN NVarChar IntN VarBinary Date IntN'.split(' '),
    );
  });

  it('counts rows by statement, and gives the results of each', async () => {
    const { rows, rowCount } = await client.batch(
      `CREATE TABLE t (k int PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3)
       UPDATE t SET k = k + 10 WHERE k > 1; SELECT @@ROWCOUNT AS n; SELECT k FROM t ORDER BY k`,
    );
    expect(rows).toEqual([{ n: 2 }, { k: 1 }, { k: 12 }, { k: 13 }]);
    expect(rowCount).toBe(3 + 2 + 1 + 3);
    expect((await client.batch('SET NOCOUNT ON; DELETE FROM t')).rowCount).toBe(0);
  });

  it('runs prepared statements, and knows none that have gone', async () => {
    const prepared = await client.call(
      'sp_prepare',
      { name: 'handle', type: TYPES.Int, output: true },
      { name: 'params', type: TYPES.NVarChar, value: '@a int' },
      { name: 'stmt', type: TYPES.NVarChar, value: 'SELECT @a + 1 AS next' },
    );
    const handle = { name: 'handle', type: TYPES.Int, value: prepared.outputs.handle };
    for (const value of [1, 41]) {
      const { rows } = await client.call('sp_execute', handle, { name: 'a', type: TYPES.Int, value });
      expect(rows).toEqual([{ next: value + 1 }]);
    }
    await client.call('sp_unprepare', handle);
    await expect(client.call('sp_execute', handle)).rejects.toMatchObject({ number: 8179 });
    const both = await client.call(
      'sp_prepexec',
      { name: 'handle', type: TYPES.Int, output: true },
      { name: 'params', type: TYPES.NVarChar, value: '@a int' },
      { name: 'stmt', type: TYPES.NVarChar, value: 'SELECT @a AS a' },
      { name: 'a', type: TYPES.Int, value: 5 },
    );
    expect(both).toMatchObject({ rows: [{ a: 5 }], outputs: { handle: expect.any(Number) } });
  });

  it('takes rows in bulk, all or none', async () => {
    await client.batch('CREATE TABLE t (k int NOT NULL PRIMARY KEY, v nvarchar(max))');
    const load = (rows: readonly (readonly [number, string | null])[]) =>
      new Promise<number>((resolve, reject) => {
        const bulk = client.connection.newBulkLoad('t', (error, count = 0) => (error ? reject(error) : resolve(count)));
        bulk.addColumn('k', TYPES.Int, { nullable: false });
        bulk.addColumn('v', TYPES.NVarChar, { length: Number.POSITIVE_INFINITY, nullable: true });
        client.connection.execBulkLoad(
          bulk,
          rows.map((row) => [...row]),
        );
      });
    expect(
      await load([
        [1, 'one'],
        [2, null],
      ]),
    ).toBe(2);
    await expect(
      load([
        [3, 'three'],
        [1, 'again'],
      ]),
    ).rejects.toMatchObject({ number: 2627 });
    expect((await client.batch('SELECT k, v FROM t ORDER BY k')).values).toEqual([
      [1, 'one'],
      [2, null],
    ]);
  });

  it('cancels a request that comes together with its cancellation', async () => {
    const { request, result } = client.start('execSqlBatch', `WAITFOR DELAY '00:01:00'`);
    request.cancel();
    await expect(result).rejects.toMatchObject({ code: 'ECANCEL' });
    expect((await client.batch('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  it('refuses a value of a kind that it cannot read, and goes on', async () => {
    const table = { columns: [{ name: 'a', type: TYPES.Int }], rows: [[1]] };
    await expect(client.query('SELECT 1', { name: 't', type: TYPES.TVP, value: table })).rejects.toMatchObject({
      number: 50_001,
    });
    expect((await client.batch('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  it('gives output parameters and the return status', async () => {
    const { outputs } = await client.query(
      'SET @out = @in * 2',
      { name: 'in', type: TYPES.Int, value: 21 },
      { name: 'out', type: TYPES.Int, output: true },
    );
    expect(outputs).toEqual({ out: 42, status: 0 });
  });

  it.each([
    [102, 'SELECT 1 FROM WHERE'],
    [105, `SELECT 'open`],
    [137, 'SELECT @unknown'],
    [207, 'SELECT missing FROM t'],
    [208, 'SELECT * FROM missing'],
    [245, `SELECT CAST('abc' AS int)`],
    [515, 'INSERT INTO t (k, v) VALUES (NULL, 1)'],
    [544, 'INSERT INTO u (id) VALUES (7)'],
    [547, 'INSERT INTO u (k) VALUES (99)'],
    [547, 'DELETE FROM t'],
    [547, 'UPDATE t SET v = -1'],
    [2601, `INSERT INTO t VALUES (3, 1)`],
    [2627, 'INSERT INTO t VALUES (1, 5)'],
    [2628, `INSERT INTO u (short) VALUES ('too long')`],
    [2714, 'CREATE TABLE t (k int)'],
    [2812, 'EXEC nothing_of_that_name'],
    [3701, 'DROP TABLE missing'],
    [3726, 'DROP TABLE t'],
    [3902, 'COMMIT'],
    [3903, 'ROLLBACK'],
    [8134, 'SELECT 1 / 0'],
    [50_000, `RAISERROR('seen %s %d', 16, 3, 'it', 7)`],
    [50_123, `THROW 50123, 'thrown', 1`],
  ])('fails with %d: %s', async (number, sql) => {
    await client.batch(`
      CREATE TABLE t (k int NOT NULL CONSTRAINT pk_t PRIMARY KEY, v int CONSTRAINT positive CHECK (v > 0));
      CREATE UNIQUE INDEX ix_v ON t (v);
      CREATE TABLE u (id int IDENTITY(1,1) PRIMARY KEY, k int REFERENCES t (k), short varchar(3));
      INSERT INTO t VALUES (1, 1); INSERT INTO u (k) VALUES (1)`);
    await expect(client.batch(sql)).rejects.toMatchObject({ number });
    expect((await client.batch('SELECT COUNT(*) AS n FROM t')).rows).toEqual([{ n: 1 }]);
  });

  it('shows the values of a duplicate key, as SQL Server does', async () => {
    await client.batch('CREATE TABLE t (a int, b nvarchar(10), CONSTRAINT pk PRIMARY KEY (a, b))');
    const insert = (b: string) =>
      client.query(`INSERT INTO t VALUES (1, 'x'), (2, @b)`, { name: 'b', type: TYPES.NVarChar, value: b });
    await insert('secret');
    await client.batch('DELETE FROM t WHERE a = 1');
    await expect(insert('SECRET')).rejects.toMatchObject({
      number: 2627,
      message: `Violation of PRIMARY KEY constraint 'pk'. Cannot insert duplicate key in object 'dbo.t'. The duplicate key value is (2, SECRET).`,
    });
  });

  it('goes on after an error of one statement, and ends the batch after others', async () => {
    const batch = client.batch(
      `CREATE TABLE t (k int PRIMARY KEY); INSERT INTO t VALUES (1); INSERT INTO t VALUES (1); INSERT INTO t VALUES (2);
       SELECT * FROM missing; INSERT INTO t VALUES (3)`,
    );
    await expect(batch).rejects.toMatchObject({ errors: [{ number: 2627 }, { number: 208 }] });
    expect(client.infos.map(({ number }) => number)).toContain(3621);
    expect((await client.batch('SELECT k FROM t')).rows).toEqual([{ k: 1 }, { k: 2 }]);
  });

  it('closes the connection after an error of severity 20', async () => {
    const fatal = client.batch(`RAISERROR('fatal', 20, 1) WITH LOG`);
    await expect(fatal).rejects.toMatchObject({ number: 50_000, class: 20 });
    await client.closed;
  });

  it('cancels what waits, and goes on with the next request', async () => {
    for (const sql of [`WAITFOR DELAY '00:01:00'`, `WHILE 1 = 1 SET NOCOUNT ON`]) {
      const { request, result } = client.start('execSqlBatch', sql);
      while ((await endpoint.sessions(database))[0]?.status !== 'running');
      request.cancel();
      await expect(result).rejects.toMatchObject({ code: 'ECANCEL' });
      expect((await client.batch('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    }
  });

  it('cancels in the middle of a long result that nobody reads', async () => {
    const endless =
      "WITH s AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM s) SELECT n, REPLICATE('x', 1000) AS text FROM s OPTION (MAXRECURSION 0)";
    const { request, result } = client.start('execSqlBatch', endless);
    let rows = 0;
    const some = new Promise<void>((resolve) => {
      request.on('row', () => {
        rows++;
        if (rows === 1000) resolve();
      });
    });
    await some;
    request.pause();
    request.cancel();
    await expect(result).rejects.toMatchObject({ code: 'ECANCEL' });
    expect((await client.batch('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  it('ends a connection by KILL: one that sleeps and one that works', async () => {
    await endpoint.killAll(database, 'sleeping');
    await client.closed;
    client = await TediousClient.connect(endpoint.tedious(database));
    const work = client.batch(`WAITFOR DELAY '00:01:00'`);
    const lost = expect(work).rejects.toBeInstanceOf(Error);
    while ((await endpoint.killAll(database, 'running')) === 0);
    await lost;
    await client.closed;
  });

  it('keeps its data and port over a crash; a clean stop tells those at work', async () => {
    const own = await MssqlStandIn.start();
    const admin = new MssqlEndpoint(own.url());
    await admin.createDatabase('kept');
    await admin.query(
      'CREATE TABLE t (id int IDENTITY PRIMARY KEY); INSERT INTO t DEFAULT VALUES; INSERT INTO t DEFAULT VALUES',
      'kept',
    );
    await own.stop('immediate');
    await expect(admin.query('SELECT 1')).rejects.toMatchObject({ code: 'ESOCKET' });
    await own.start();
    expect(await admin.query('INSERT INTO t OUTPUT inserted.id DEFAULT VALUES', 'kept')).toEqual([{ id: 3 }]);
    const working = await TediousClient.connect(admin.tedious('kept'));
    const told = expect(working.batch(`WAITFOR DELAY '00:01:00'`)).rejects.toMatchObject({ number: 6005 });
    while ((await admin.sessions('kept'))[0]?.status !== 'running');
    await own.stop();
    await told;
    await working.closed;
    await own.close();
  });
});
