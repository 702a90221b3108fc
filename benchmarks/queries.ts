/**
 * Select by key and insert on PostgreSQL, natively and by Knex: through the manager, against the driver's own pool and
 * Knex on its own pool. Ten connections each, at 1, 32 and 256 callers.
 */
import { sharedPostgres } from '@dbmanager/testkit';
import pg from 'pg';
import { knexWay } from './support/knex-way.ts';
import { CONNECTIONS, measureQueries, type Operations } from './support/query-bench.ts';
import { createTables, ROWS } from './support/query-tables.ts';

const server = await sharedPostgres();
const database = await server.createDatabase();
await createTables((sql) => server.query(sql, [], database), 'bigserial');
const url = server.url(database);

const operations = (pool: Pick<pg.Pool, 'query'>): Operations => ({
  select: (id) => pool.query('select id, name from items where id = $1', [id]),
  insert: (item) => pool.query('insert into log (item, note) values ($1, $2)', [item, 'a note']),
});

try {
  await measureQueries({
    engine: 'PostgreSQL',
    version: await server.version(),
    rows: ROWS,
    config: { type: 'postgres', dsn: url },
    ways: [
      {
        name: 'native',
        alone: 'pg.Pool alone',
        own() {
          const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS });
          return { ...operations(pool), close: () => pool.end() };
        },
        managed: (connection) => operations(connection.native()),
      },
      knexWay({ client: 'pg', connection: url }),
    ],
  });
} finally {
  await server.dropDatabase(database);
}
