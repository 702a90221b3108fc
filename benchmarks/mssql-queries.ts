/**
 * Select by key and insert over SQL Server's protocol, natively and by Knex: through the manager, against the pool of
 * node-mssql (tarn) and Knex on its own pool. Ten connections each, at 1, 32 and 256 callers.
 *
 * Without `DBMANAGER_TEST_MSSQL_URL` the server is the test kit's stand-in, in a process of its own: its figures tell what
 * client and protocol cost, and nothing of SQL Server.
 */
import { sharedMssql } from '@dbmanager/testkit';
import mssql from 'mssql';
import { knexWay } from './support/knex-way.ts';
import { CONNECTIONS, measureQueries, type Operations } from './support/query-bench.ts';
import { createTables, ROWS } from './support/query-tables.ts';

const server = await sharedMssql();
const database = await server.createDatabase();
await createTables((sql) => server.query(sql, database), 'bigint identity');
const { host, port, user, password } = server;
const options = { encrypt: false, trustServerCertificate: true };

const operations = (pool: mssql.ConnectionPool): Operations => ({
  select: (id) => pool.request().input('id', mssql.Int, id).query('select id, name from items where id = @id'),
  insert: (item) =>
    pool
      .request()
      .input('item', mssql.Int, item)
      .input('note', mssql.VarChar(40), 'a note')
      .query('insert into log (item, note) values (@item, @note)'),
});

try {
  await measureQueries({
    engine: server.kind === 'real' ? 'SQL Server' : 'SQL Server stand-in',
    version: await server.version(),
    rows: ROWS,
    config: { type: 'mssql', ...server.connection(database), sslmode: 'disable' },
    operations: 1_000,
    ways: [
      {
        name: 'native',
        alone: 'mssql pool alone',
        async own() {
          const config = { server: host, port, user, password, database, options, pool: { min: 0, max: CONNECTIONS } };
          const pool = await new mssql.ConnectionPool(config).connect();
          return { ...operations(pool), close: () => pool.close() };
        },
        managed: (connection) => operations(connection.native('mssql')),
      },
      knexWay({ client: 'mssql', connection: { server: host, port, user, password, database, options } }),
    ],
  });
} finally {
  await server.dropDatabase(database);
}
