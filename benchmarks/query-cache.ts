/**
 * A select by key that is answered by the query cache, in memory and in Redis, against the same asked of the database, on
 * PostgreSQL and SQLite (`--engine NAME`: on one of them).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sharedPostgres, sharedRedis } from '@dbmanager/testkit';
import { ConnectionManager } from 'dbmanager';
import { type Comparison, main } from './harness.ts';
import { ROWS } from './support/query-tables.ts';
import { throughput } from './support/throughput.ts';
import { wantedEngines } from './support/wanted-engines.ts';

const KEYS = 100;
const CALLERS = 32;
const OPERATIONS = 20_000;
const SELECT = 'select id, name from items where id = ?';

/** A database with the table, as the configuration names it. */
interface Place {
  readonly config: { readonly type: string; readonly [option: string]: unknown };
  end(): Promise<void>;
}

async function onPostgres(): Promise<Place> {
  const server = await sharedPostgres();
  const database = await server.createDatabase();
  return { config: { type: 'postgres', dsn: server.url(database) }, end: () => server.dropDatabase(database) };
}

async function onSqlite(): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'dbm-bench-'));
  const config = { type: 'sqlite', filepath: join(folder, 'bench.db') };
  return { config, end: async () => rmSync(folder, { recursive: true }) };
}

/** What is compared on one engine. */
async function compare(title: string, { config }: Place, opened: AsyncDisposableStack): Promise<Comparison> {
  const redis = await sharedRedis();
  const kept = { cache_enabled: true, cache_ttl: '1h' };
  const connections = {
    database: config,
    memory: { ...config, ...kept },
    redis: { ...config, ...kept, cache_url: redis.url(), cache_prefix: `bench ${title}` },
  };
  // Three managers: two writers of one SQLite file in one would be refused.
  const select = async (name: keyof typeof connections) => {
    const manager = ConnectionManager.from({ connections: { [name]: connections[name] } });
    opened.defer(async () => void (await manager.close()));
    await manager.connect();
    const db = manager.get(name).database();
    let next = 0;
    return () => db.query(SELECT, [1 + (next++ % KEYS)], { cache: name !== 'database' });
  };
  const subject = (name: string, work: () => Promise<unknown>) => ({
    name,
    round: () => throughput([work], OPERATIONS, CALLERS),
  });
  return {
    title: `${title}: select by key, ${CALLERS} callers`,
    unit: 'ops/s',
    better: 'higher',
    against: 'asked of the database',
    rounds: 9,
    cpu: true,
    subjects: [
      subject('asked of the database', await select('database')),
      subject('asked of the database, again (control)', await select('database')),
      subject('kept in memory', await select('memory')),
      subject('kept in Redis', await select('redis')),
    ],
  };
}

const ENGINES = [
  { name: 'postgres', title: 'PostgreSQL', open: onPostgres },
  { name: 'sqlite', title: 'SQLite', open: onSqlite },
];

await using opened = new AsyncDisposableStack();
const comparisons: Comparison[] = [];
for (const { title, open } of wantedEngines(ENGINES)) {
  const place = await open();
  opened.defer(() => place.end());
  const setUp = ConnectionManager.from({ connections: { main: place.config } });
  await setUp.connect();
  const db = setUp.getDefaultDatabase();
  await db.execute('create table items (id integer primary key, name varchar(50) not null)');
  await db.transaction(async (tx) => {
    for (let id = 1; id <= Math.min(ROWS, 1_000); id++) {
      await tx.execute('insert into items (id, name) values (?, ?)', [id, `item ${id}`]);
    }
  });
  await setUp.close();
  comparisons.push(await compare(title, place, opened));
}
await main(comparisons);
