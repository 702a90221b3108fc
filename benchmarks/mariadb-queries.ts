/**
 * Select by key and insert on MariaDB, natively (as text, and prepared) and by Knex: through the manager, against mysql2's
 * own pool and Knex on its own pool. Ten connections each, at 1, 32 and 256 callers.
 */
import { sharedMariadb } from '@dbmanager/testkit';
import { createPool } from 'mysql2';
import type { Pool as PromisePool } from 'mysql2/promise';
import { knexWay } from './support/knex-way.ts';
import { CONNECTIONS, measureQueries, type Operations, type Way } from './support/query-bench.ts';
import { createTables, ROWS } from './support/query-tables.ts';

const server = await sharedMariadb();
const database = await server.createDatabase();
await createTables((sql) => server.query(sql, [], database), 'bigint auto_increment');
const { host, port, user, password } = server;
const place = { host, port, user, password, database };

type Send = (pool: PromisePool, sql: string, values: (number | string)[]) => Promise<unknown>;
const asText: Send = (pool, sql, values) => pool.query(sql, values);
const prepared: Send = (pool, sql, values) => pool.execute(sql, values);

const operations = (pool: PromisePool, send: Send): Operations => ({
  select: (id) => send(pool, 'select id, name from items where id = ?', [id]),
  insert: (item) => send(pool, 'insert into log (item, note) values (?, ?)', [item, 'a note']),
});

const native = (name: string, send: Send): Way => ({
  name,
  alone: 'mysql2 pool alone',
  own() {
    const pool = createPool({ ...place, connectionLimit: CONNECTIONS }).promise();
    return { ...operations(pool, send), close: () => pool.end() };
  },
  managed: (connection) => operations(connection.native('mariadb').promise(), send),
});

try {
  await measureQueries({
    engine: 'MariaDB',
    version: await server.version(),
    rows: ROWS,
    config: { type: 'mariadb', ...place },
    ways: [
      native('native', asText),
      native('native, prepared', prepared),
      knexWay({ client: 'mysql2', connection: place }),
    ],
  });
} finally {
  await server.dropDatabase(database);
}
