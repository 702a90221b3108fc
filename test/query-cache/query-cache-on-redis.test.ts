import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type ConnectionConfig, Secret } from '@dbmanager/core';
import { describeWithOwnRedis, describeWithRedis, RedisServer } from '@dbmanager/testkit';
import * as jest from '@jest/globals';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { ConnectionManager } from 'dbmanager';
import { Redis } from 'ioredis';
import { SQLITE, type SqlDatabase } from '../support/sql-engines.js';

const CHILD = fileURLToPath(new URL('cache-child.js', import.meta.url));

/** Two managers on one database and one Redis, as two processes have them. */
class TwoProcesses {
  readonly one: ConnectionManager;
  readonly other: ConnectionManager;
  readonly prefix: string;

  private constructor(config: ConnectionConfig, prefix: string) {
    this.prefix = prefix;
    const managers = [1, 2].map(() => new ConnectionManager({ defaultConnection: 'test', connections: [config] }));
    [this.one, this.other] = managers as [ConnectionManager, ConnectionManager];
  }

  static async start(files: SqlDatabase, url: string, options: object = {}): Promise<TwoProcesses> {
    const prefix = `test ${randomUUID()}`;
    const place = { cacheUrl: new Secret(url), cachePrefix: prefix };
    // Far more than Redis takes: what is slow is the machine.
    const cache = { cacheEnabled: true, cacheTimeoutMs: 30_000, ...place, ...options };
    const both = new TwoProcesses(files.config(cache), prefix);
    await Promise.all([both.one.connect(), both.other.connect()]);
    const db = both.one.getDefaultDatabase();
    await db.execute('create table items (id integer primary key, name text not null)');
    await db.execute("insert into items (name) values ('one')");
    return both;
  }

  async close(): Promise<void> {
    await this.other.getDefaultDatabase().execute('drop table items');
    await Promise.all([this.one.close(), this.other.close()]);
    for (const { pool } of [this.one, this.other].flatMap((mgr) => Object.values(mgr.stats().connections))) {
      expect(pool.created).toBe(pool.destroyed);
    }
  }
}

const names = async (mgr: ConnectionManager) => {
  const rows = await mgr.getDefaultDatabase().query<{ name: string }>('select name from items', [], { cache: true });
  return rows.map(({ name }) => name).join();
};
const rename = (mgr: ConnectionManager, name: string) =>
  mgr.getDefaultDatabase().execute('update items set name = ?', [name]);
const cacheOf = (mgr: ConnectionManager) => mgr.get('test').stats().cache;
const executions = (mgr: ConnectionManager) =>
  (mgr.get('test').stats().statements?.series ?? [])
    .filter(({ operation, collection }) => operation === 'SELECT' && collection === 'items')
    .reduce((sum, { duration }) => sum + duration.count, 0);

describeWithRedis(
  'seeds 2: Query cache: the query cache in Redis',
  (redis) => {
    let files: SqlDatabase;
    let both: TwoProcesses;

    beforeAll(async () => {
      files = await SQLITE.create();
    });

    afterAll(() => files.drop());

    beforeEach(async () => {
      both = await TwoProcesses.start(files, redis().url());
    });

    afterEach(() => both.close());

    it('what one process has read another need not', async () => {
      expect([await names(both.one), await names(both.other), await names(both.other)]).toEqual(['one', 'one', 'one']);
      expect([executions(both.one), executions(both.other)]).toEqual([1, 0]);
      expect(cacheOf(both.other)).toEqual({ hits: 2, misses: 0, evictions: 0, errors: 0, held: undefined });
    });

    it('each sees what the other has written as soon as that is done', async () => {
      for (let n = 0; n < 20; n++) {
        await rename(both.one, `a ${n}`);
        expect([await names(both.other), await names(both.one)]).toEqual([`a ${n}`, `a ${n}`]);
        await both.other.get('test').transaction((tx) => tx.execute('update items set name = ?', [`b ${n}`]));
        expect([await names(both.other), await names(both.one)]).toEqual([`b ${n}`, `b ${n}`]);
      }
      expect([cacheOf(both.one)?.errors, cacheOf(both.other)?.errors]).toEqual([0, 0]);
    });

    it('what is committed while a manager closes is told as well', async () => {
      const [began, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const late = both.one.get('test').transaction(async (tx) => {
        await tx.execute('update items set name = ?', ['late']);
        began.resolve();
        await end.promise;
      });
      await began.promise;
      const closing = both.one.close();
      expect([await names(both.other), await names(both.other)]).toEqual(['one', 'one']);
      end.resolve();
      await Promise.all([late, closing]);
      expect(await names(both.other)).toBe('late');
    });

    it('so does a process of its own', async () => {
      const filepath = (files.config({}).options as unknown as { readonly filepath: string }).filepath;
      const cache = { cache_enabled: true, cache_url: redis().url(), cache_prefix: both.prefix, cache_timeout: '30s' };
      const child = fork(CHILD, [JSON.stringify({ connections: { test: { type: 'sqlite', filepath, ...cache } } })], {
        execArgv: [],
      });
      const exit = once(child, 'exit');
      const next = async () => (await Promise.race([once(child, 'message'), exit]))[0] as { readonly name: string };
      const ask = (message: object) => {
        child.send(message);
        return next();
      };
      try {
        expect(await next()).toBe('ready');
        await rename(both.one, 'here');
        expect(await names(both.one)).toBe('here');
        expect(await ask({})).toMatchObject({ name: 'here', hits: 1, misses: 0 });
        expect(await ask({ write: 'there' })).toMatchObject({ name: 'there', hits: 1, misses: 1 });
        expect(await names(both.one)).toBe('there');
        await rename(both.one, 'here again');
        expect(await ask({})).toMatchObject({ name: 'here again', errors: 0 });
      } finally {
        child.disconnect();
        expect(await exit).toEqual([0, null]);
      }
    });

    it('what is dropped by hand is dropped for both', async () => {
      await names(both.one);
      await both.other.get('test').queryCache?.clear();
      await names(both.one);
      expect(executions(both.one)).toBe(2);
    });

    it('a hundred that ask at once are one execution', async () => {
      await Promise.all(Array.from({ length: 100 }, () => names(both.one)));
      expect(executions(both.one)).toBe(1);
    });

    it('whatever Redis forgets costs a miss, and gives nothing old', async () => {
      const client = new Redis(redis().url());
      try {
        await names(both.one);
        const { cachePrefix } = both.one.get('test').config.options;
        const tokens = await client.keys(`${cachePrefix}*:changed:*`);
        expect(tokens.length).toBeGreaterThan(0);
        await client.del(...tokens);
        expect(await names(both.one)).toBe('one');
        expect(executions(both.one)).toBe(2);
        const results = await client.keys(`${cachePrefix}*:result:*`);
        await Promise.all(results.map((key) => client.set(key, 'no result of ours', 'KEEPTTL')));
        expect(await names(both.one)).toBe('one');
        expect(await Promise.all(results.map((key) => client.pttl(key)))).toEqual(
          results.map(() => expect.any(Number)),
        );
      } finally {
        client.disconnect();
      }
    });

    it('values come back with their types', async () => {
      const db = both.one.getDefaultDatabase();
      const sql = "select 9007199254740993 as big, 1.5 as real, x'00ff' as bytes, null as absent, name from items";
      const read = () => db.queryOneOrThrow<{ bytes: Buffer }>(sql, [], { cache: true });
      const first = await read();
      const second = await read();
      expect(second).toEqual(first);
      expect(second).toMatchObject({ big: 9007199254740993n, real: 1.5, absent: null, name: 'one' });
      expect(Buffer.isBuffer(second.bytes)).toBe(Buffer.isBuffer(first.bytes));
      expect(cacheOf(both.one)).toMatchObject({ hits: 1 });
    });
  },
  jest,
);

describeWithOwnRedis(
  'seeds 2: Query cache: a Redis that goes away',
  () => {
    let files: SqlDatabase;
    let server: RedisServer;
    let both: TwoProcesses;

    beforeAll(async () => {
      [files, server] = await Promise.all([SQLITE.create(), RedisServer.start()]);
    }, 60_000);

    afterAll(async () => {
      await server.close();
      await files.drop();
    });

    afterEach(() => both.close());

    /** Reads until a kept result is the answer. */
    async function untilHit(mgr: ConnectionManager): Promise<void> {
      for (const before = cacheOf(mgr)?.hits; cacheOf(mgr)?.hits === before; await names(mgr)) {
        await new Promise((resolve) => setImmediate(resolve));
      }
    }

    it('killed and back: no query fails, and none is answered with what was written over meanwhile', async () => {
      both = await TwoProcesses.start(files, server.url());
      expect([await names(both.one), await names(both.other)]).toEqual(['one', 'one']);
      await server.stop('immediate');
      for (const name of ['two', 'three']) {
        await rename(both.one, name);
        expect([await names(both.one), await names(both.other)]).toEqual([name, name]);
      }
      expect(cacheOf(both.one)?.errors).toBeGreaterThan(0);
      await server.start();
      await untilHit(both.one);
      await untilHit(both.other);
      expect([await names(both.one), await names(both.other)]).toEqual(['three', 'three']);
      await rename(both.other, 'four');
      expect([await names(both.one), await names(both.other)]).toEqual(['four', 'four']);
    });

    it('started again from an old snapshot: nothing is given that had been dropped since', async () => {
      both = await TwoProcesses.start(files, server.url());
      const client = new Redis(server.url());
      await names(both.one);
      await client.save();
      client.disconnect();
      await rename(both.one, 'two');
      await server.stop('immediate');
      await server.start();
      expect([await names(both.one), await names(both.other)]).toEqual(['two', 'two']);
      await untilHit(both.other);
      expect(await names(both.other)).toBe('two');
    });

    it('standing still: the database answers after a bounded wait, and what was written is told when it goes on', async () => {
      both = await TwoProcesses.start(files, server.url(), { cacheTimeoutMs: 200 });
      await untilHit(both.one);
      server.pause();
      await rename(both.one, 'two');
      expect([await names(both.one), await names(both.other)]).toEqual(['two', 'two']);
      server.resume();
      await untilHit(both.one);
      await untilHit(both.other);
      expect([await names(both.one), await names(both.other)]).toEqual(['two', 'two']);
    });

    it('never there: queries and the start go on without it', async () => {
      await server.stop();
      both = await TwoProcesses.start(files, server.url());
      expect([await names(both.one), await names(both.one)]).toEqual(['one', 'one']);
      expect(executions(both.one)).toBe(2);
      await server.start();
    });
  },
  jest,
);
