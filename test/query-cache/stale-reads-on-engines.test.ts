import { randomUUID } from 'node:crypto';
import { type Random, Secret, seededRandom } from '@dbmanager/core';
import { describeWithRedis } from '@dbmanager/testkit';
import * as jest from '@jest/globals';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { ConnectionManager } from 'dbmanager';
import {
  COCKROACHDB,
  MARIADB,
  PGBOUNCER,
  POSTGRES,
  rejection,
  SQLITE,
  type SqlDatabase,
  type SqlTestEngine,
} from '../support/sql-engines.js';

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
const TABLES = ['first_counter', 'second_counter'] as const;
const ROUNDS = 12;

/** Counts a table up by one, and tells whether that was committed. */
type Door = (mgr: ConnectionManager, table: string) => Promise<boolean>;

const countUp = (table: string) => `update ${table} set n = n + 1`;
const undone = new Error('undone');

/** Of which others who keep results are told before they are done. */
const TOLD: readonly Door[] = [
  async (mgr, table) => {
    await mgr.getDefaultDatabase().execute(countUp(table));
    return true;
  },
  async (mgr, table) => {
    await mgr.getDefaultDatabase().transaction(async (tx) => {
      await tx.execute(countUp(table));
      const nested = tx.transaction(async (inner) => {
        await inner.execute(countUp(table));
        throw undone;
      });
      expect(await rejection(nested)).toBe(undone);
    });
    return true;
  },
  async (mgr, table) => {
    const outer = mgr.getDefaultDatabase().transaction(async (tx) => {
      await tx.execute(countUp(table));
      throw undone;
    });
    expect(await rejection(outer)).toBe(undone);
    return false;
  },
  async (mgr, table) => {
    await using tx = await mgr.get('test').begin();
    await tx.transaction((nested) => nested.execute(countUp(table)));
    await tx.commit();
    return true;
  },
  async (mgr, table) => {
    await mgr.get('test').transaction(async (tx) => {
      await tx.knex()(table).increment('n', 1);
    });
    return true;
  },
];

/** Those, and others, of which they are told a moment after. */
const ALL: readonly Door[] = [
  ...TOLD,
  async (mgr, table) => {
    await mgr.get('test').knex()(table).increment('n', 1);
    return true;
  },
  async (mgr, table) => {
    const knex = mgr.get('test').knex();
    await knex.transaction((trx) => trx(table).increment('n', 1));
    return true;
  },
];

/** How often each table was counted up at least, by what has been reported as done. */
class Ledger {
  readonly #done = new Map<string, number>();

  done(table: string): number {
    return this.#done.get(table) ?? 0;
  }

  async count(mgr: ConnectionManager, table: string, door: Door): Promise<void> {
    if (await door(mgr, table)) this.#done.set(table, this.done(table) + 1);
  }

  /** A kept result, or a new one: what had been reported as done when it was asked for is in it. */
  async check(mgr: ConnectionManager, table: string): Promise<void> {
    const done = this.done(table);
    const sql = `select n from ${table}`;
    const { n } = await mgr.getDefaultDatabase().queryOneOrThrow<{ n: unknown }>(sql, [], { cache: true });
    if (Number(n) < done) throw new Error(`${table} was ${n} after ${done} had been counted (seed ${seed})`);
  }
}

async function countAndRead(
  managers: readonly ConnectionManager[],
  doors: readonly Door[],
  random: Random,
): Promise<Ledger> {
  const pick = <T>(from: readonly T[]) => from[Math.floor(random() * from.length)] as T;
  const ledger = new Ledger();
  const writer = async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const table = pick(TABLES);
      await ledger.count(pick(managers), table, pick(doors));
      await ledger.check(pick(managers), table);
    }
  };
  let writing = true;
  const reader = async () => {
    while (writing) {
      const table = pick(TABLES);
      for (const mgr of [...managers, ...managers, ...managers]) await ledger.check(mgr, table);
      // Kept results wait for nothing.
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const readers = [reader(), reader(), reader()];
  await Promise.all([writer(), writer(), writer()]).finally(() => {
    writing = false;
  });
  await Promise.all(readers);
  return ledger;
}

function defineSuite(engine: SqlTestEngine, count: number, doors: readonly Door[], cache: () => object): void {
  let files: SqlDatabase;
  let managers: ConnectionManager[] = [];

  beforeAll(async () => {
    files = await engine.create();
  }, 60_000);

  afterAll(() => files?.drop());

  afterEach(async () => {
    await Promise.all(managers.map((mgr) => mgr.close()));
    for (const { pool } of managers.flatMap((mgr) => Object.values(mgr.stats().connections))) {
      expect(pool.created).toBe(pool.destroyed);
    }
  });

  it('no read gives what had been written over when it was asked', async () => {
    const config = files.config({ cacheEnabled: true, maxOpenConns: 8, ...cache() });
    managers = Array.from(
      { length: count },
      () => new ConnectionManager({ defaultConnection: 'test', connections: [config] }),
    );
    await Promise.all(managers.map((mgr) => mgr.connect()));
    const [first] = managers as [ConnectionManager];
    const db = first.getDefaultDatabase();
    for (const table of TABLES) {
      await db.execute(`create table ${table} (n integer not null)`);
      await db.execute(`insert into ${table} (n) values (0)`);
    }
    const ledger = await countAndRead(managers, doors, seededRandom(seed));
    for (const table of TABLES) {
      const row = await db.queryOneOrThrow<{ n: unknown }>(`select n from ${table}`);
      expect(Number(row.n)).toBe(ledger.done(table));
    }
    const hits = () => first.get('test').queryCache?.stats().hits ?? 0;
    const before = hits();
    for (const table of [...TABLES, ...TABLES]) await ledger.check(first, table);
    expect(hits() - before).toBeGreaterThanOrEqual(TABLES.length);
  });
}

for (const engine of [SQLITE, POSTGRES, PGBOUNCER, COCKROACHDB, MARIADB]) {
  engine.describe(`seeds 2: Query cache: writes through random doors (seed ${seed})`, () => {
    defineSuite(engine, 1, ALL, () => ({}));
  });
}

describeWithRedis(
  'seeds 2: Query cache: writes through random doors of two managers',
  (redis) => {
    POSTGRES.describe(`with one Redis (seed ${seed})`, () => {
      const prefix = `test ${randomUUID()}`;
      defineSuite(POSTGRES, 2, TOLD, () => ({
        cacheUrl: new Secret(redis().url()),
        cachePrefix: prefix,
        // Far more than Redis takes: what is slow is the machine.
        cacheTimeoutMs: 30_000,
      }));
    });
  },
  jest,
);
