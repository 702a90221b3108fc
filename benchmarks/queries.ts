/**
 * Select by key and insert on PostgreSQL, natively and by Knex: through the manager, against the driver's own pool and
 * Knex on its own pool. Ten connections each, at 1, 32 and 256 callers.
 */
import { PostgresServer } from '@dbmanager/testkit';
import { ConnectionManager } from 'dbmanager';
import knexLibrary, { type Knex } from 'knex';
import pg from 'pg';
import { type Comparison, main, type Subject } from './harness.ts';

const CONNECTIONS = 10;
const ROWS = 10_000;
const CALLERS = [1, 32, 256];

const server = await PostgresServer.start();
const admin = new pg.Client({ connectionString: server.url() });
await admin.connect();
await admin.query('create table items (id int primary key, name text not null)');
await admin.query(`insert into items select n, 'item ' || n from generate_series(1, ${ROWS}) n`);
await admin.query('create table log (id bigserial primary key, item int not null, note text not null)');

/** Every subject gets the same ids in the same order. */
let next = 0;
const nextId = () => 1 + (next++ % ROWS);

type Operation = () => Promise<unknown>;
type PgPool = Pick<pg.Pool, 'query'>;

const nativeSelect =
  (pool: PgPool): Operation =>
  () =>
    pool.query('select id, name from items where id = $1', [nextId()]);
const nativeInsert =
  (pool: PgPool): Operation =>
  () =>
    pool.query('insert into log (item, note) values ($1, $2)', [nextId(), 'a note']);
const knexSelect =
  (knex: Knex): Operation =>
  () =>
    knex('items').select('id', 'name').where({ id: nextId() });
const knexInsert =
  (knex: Knex): Operation =>
  () =>
    knex('log').insert({ item: nextId(), note: 'a note' });

async function throughput(callers: number, operation: Operation): Promise<number> {
  const operations = callers === 1 ? 500 : 2_000;
  let left = operations;
  const startedAt = performance.now();
  const caller = async () => {
    while (left-- > 0) await operation();
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return operations / ((performance.now() - startedAt) / 1_000);
}

function manager(metrics: boolean): ConnectionManager {
  const mgr = ConnectionManager.from({
    connections: {
      primary: {
        type: 'postgres',
        dsn: server.url(),
        max_open_conns: CONNECTIONS,
        max_idle_conns: CONNECTIONS,
        enable_metrics: metrics,
      },
    },
  });
  if (metrics) mgr.metrics();
  return mgr;
}

const rawPool = new pg.Pool({ connectionString: server.url(), max: CONNECTIONS });
const controlPool = new pg.Pool({ connectionString: server.url(), max: CONNECTIONS });
const ownKnex = knexLibrary({ client: 'pg', connection: server.url(), pool: { min: 0, max: CONNECTIONS } });
const controlKnex = knexLibrary({ client: 'pg', connection: server.url(), pool: { min: 0, max: CONNECTIONS } });
const managers = { off: manager(false), on: manager(true) };
await Promise.all(Object.values(managers).map((each) => each.connect()));

/** With metrics on, the scrape that a Prometheus would make is part of every round. */
function managed(name: string, mgr: ConnectionManager, callers: number, operation: Operation): Subject {
  return {
    name,
    round: async () => {
      if (mgr === managers.on) await mgr.metrics().scrape();
      return throughput(callers, operation);
    },
  };
}

function comparison(title: string, callers: number, subjects: readonly Subject[]): Comparison {
  const [reference] = subjects as readonly [Subject];
  return {
    title: `${title}, ${callers} callers`,
    unit: 'ops/s',
    better: 'higher',
    subjects,
    against: reference.name,
    rounds: 25,
  };
}

const plain = (name: string, callers: number, operation: Operation): Subject => ({
  name,
  round: () => throughput(callers, operation),
});

const comparisons = CALLERS.flatMap((callers) => [
  ...(
    [
      ['native select by key', nativeSelect],
      ['native insert', nativeInsert],
    ] as const
  ).map(([title, operation]) =>
    comparison(title, callers, [
      plain('raw pg.Pool', callers, operation(rawPool)),
      plain('raw pg.Pool again (control)', callers, operation(controlPool)),
      managed('managed, metrics off', managers.off, callers, operation(managers.off.get('primary').native())),
      managed('managed, metrics on', managers.on, callers, operation(managers.on.get('primary').native())),
    ]),
  ),
  ...(
    [
      ['Knex select by key', knexSelect],
      ['Knex insert', knexInsert],
    ] as const
  ).map(([title, operation]) =>
    comparison(title, callers, [
      plain('Knex on its own pool', callers, operation(ownKnex)),
      plain('Knex on its own pool again (control)', callers, operation(controlKnex)),
      managed('Knex managed, metrics off', managers.off, callers, operation(managers.off.get('primary').knex())),
      managed('Knex managed, metrics on', managers.on, callers, operation(managers.on.get('primary').knex())),
    ]),
  ),
]);

try {
  await main(comparisons);
} finally {
  await Promise.all([rawPool.end(), controlPool.end(), ownKnex.destroy(), controlKnex.destroy(), admin.end()]);
  await Promise.all(Object.values(managers).map((each) => each.close()));
  await server.close();
}
