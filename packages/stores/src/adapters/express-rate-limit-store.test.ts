import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import express from 'express';
import { type Options, rateLimit, type Store } from 'express-rate-limit';
import { rejection } from '../../../../test/support/sql-engines.js';
import { HttpServer, Visitor } from '../../test/http-server.js';
import { expectLimitOfThree, passedAtOnce } from '../../test/limited-visits.js';
import { eachWithStores } from '../../test/stores-fixture.js';
import { ExpressRateLimitStore } from './express-rate-limit-store.js';

const MINUTE_MS = 60_000;

const bench = eachWithStores();

describe('the store of express-rate-limit, method by method', () => {
  let store: Required<Pick<Store, 'init' | 'get' | 'increment' | 'decrement' | 'resetKey' | 'resetAll'>> & Store;

  beforeEach(() => {
    store = new ExpressRateLimitStore(bench.stores.rateLimits);
    store.init({ windowMs: MINUTE_MS } as Options);
  });

  it('says that its keys are everybody’s, and what stands before them', () => {
    expect(store).toMatchObject({ localKeys: false, prefix: 'rl:' });
  });

  it('counts each hit of a key in a window, and says when that is over', async () => {
    const before = Date.now();
    for (let hit = 1; hit <= 3; hit++) expect(await store.increment('a')).toMatchObject({ totalHits: hit });
    expect(await store.increment('b')).toMatchObject({ totalHits: 1 });
    const info = await store.get('a');
    expect(info?.totalHits).toBe(3);
    const resetTime = info?.resetTime?.getTime() ?? 0;
    expect(resetTime).toBeGreaterThan(before);
    expect(resetTime).toBeLessThanOrEqual(Date.now() + MINUTE_MS);
  });

  it('knows nothing of a key that was not counted', async () => {
    expect(await store.get('none')).toBeUndefined();
  });

  it('takes a hit back, and forgets one key, or all', async () => {
    for (const key of ['a', 'a', 'b', 'c']) await store.increment(key);
    await store.decrement('a');
    await store.decrement('none');
    expect(await store.get('a')).toMatchObject({ totalHits: 1 });
    await store.resetKey('a');
    expect(await store.get('a')).toBeUndefined();
    expect(await store.get('b')).toMatchObject({ totalHits: 1 });
    const other = new ExpressRateLimitStore(bench.stores.rateLimits, { prefix: 'other:' });
    other.init({ windowMs: MINUTE_MS });
    await other.increment('b');
    await store.resetAll();
    expect(await store.get('b')).toBeUndefined();
    expect(await other.get('b')).toMatchObject({ totalHits: 1 });
  });

  it('is counted with every other of its prefix', async () => {
    const second = new ExpressRateLimitStore(bench.stores.rateLimits);
    second.init({ windowMs: MINUTE_MS });
    const infos = await Promise.all([store, second, store, second].map((each) => each.increment('a')));
    expect(infos.map(({ totalHits }) => totalHits).sort()).toEqual([1, 2, 3, 4]);
  });

  it('refuses to count before it was initialised', async () => {
    const idle = new ExpressRateLimitStore(bench.stores.rateLimits);
    expect(await rejection(idle.increment('a'))).toMatchObject({ code: 'DBM_INVALID_OPTION', option: 'windowMs' });
  });

  it('rejects with the error where the table is missing', async () => {
    await bench.database.execute('drop table rate_limits');
    const calls = [
      store.get('a'),
      store.increment('a'),
      store.decrement('a'),
      store.resetKey('a'),
      store.resetAll(),
    ] as Promise<unknown>[];
    for (const call of calls) expect(await rejection(call)).toMatchObject({ code: 'DBM_STORE_TABLE' });
  });
});

describe('express 5 with express-rate-limit on a database', () => {
  let server: HttpServer;
  /** What the limiter has found wrong, with the store or how it is used. */
  let complaints: unknown[];

  async function start(options: Partial<Options>): Promise<Visitor> {
    const app = express();
    const logger = {
      error: (error: unknown) => complaints.push(error),
      warn: (error: unknown) => complaints.push(error),
    };
    const store = new ExpressRateLimitStore(bench.stores.rateLimits);
    app.use(rateLimit({ windowMs: MINUTE_MS, limit: 3, standardHeaders: 'draft-6', store, logger, ...options }));
    app.get('/', (_request, response) => {
      response.json({});
    });
    app.get('/fails', (_request, response) => {
      response.status(500).json({});
    });
    app.use(((error, _request, response, _next) => {
      response.status(500).json({ code: error.code });
    }) as express.ErrorRequestHandler);
    server = await HttpServer.start(app);
    return new Visitor(server.url);
  }

  beforeEach(() => {
    complaints = [];
  });
  afterEach(async () => {
    await server?.[Symbol.asyncDispose]();
    expect(complaints).toEqual([]);
  });

  it('lets requests pass up to the limit, and says how many are left and how long to wait', async () => {
    const visitor = await start({});
    await expectLimitOfThree(visitor, 'ratelimit-remaining');
  });

  it('lets exactly the limit pass of many requests at once', async () => {
    const visitor = await start({ limit: 10 });
    expect(await passedAtOnce(visitor, 30)).toBe(10);
  });

  it('takes requests back that failed, where it is told to', async () => {
    const visitor = await start({ skipFailedRequests: true });
    for (let request = 0; request < 3; request++) await visitor.get('/fails');
    const key = '127.0.0.1';
    while ((await bench.stores.rateLimits.withPrefix('rl:').get(key, MINUTE_MS))?.hits !== 0);
    expect((await visitor.get('/')).headers.get('ratelimit-remaining')).toBe('2');
  });

  it('hands the error of a database that fails on, or lets pass where it is told to', async () => {
    const visitor = await start({});
    await bench.database.execute('drop table rate_limits');
    expect(await visitor.get('/')).toMatchObject({ status: 500, body: { code: 'DBM_STORE_TABLE' } });
    await server[Symbol.asyncDispose]();
    const lenient = await start({ passOnStoreError: true });
    expect((await lenient.get('/')).status).toBe(200);
    expect(complaints.splice(0)).toMatchObject([{ code: 'DBM_STORE_TABLE' }]);
  });
});
