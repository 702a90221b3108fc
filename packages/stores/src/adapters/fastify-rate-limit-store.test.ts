import fastifyRateLimit, { type RateLimitPluginOptions } from '@fastify/rate-limit';
import { afterEach, describe, expect, it } from '@jest/globals';
import fastify, { type FastifyInstance } from 'fastify';
import { rejection } from '../../../../test/support/sql-engines.js';
import { Visitor } from '../../test/http-server.js';
import { expectLimitOfThree, passedAtOnce } from '../../test/limited-visits.js';
import { eachWithStores } from '../../test/stores-fixture.js';
import {
  type FastifyRateLimitResult,
  type FastifyRateLimitSettings,
  type FastifyRateLimitStore,
  fastifyRateLimitStore,
} from './fastify-rate-limit-store.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const bench = eachWithStores();

describe('the store of @fastify/rate-limit, method by method', () => {
  const storeWith = (settings: FastifyRateLimitSettings = {}) => {
    const Store = fastifyRateLimitStore(bench.stores.rateLimits);
    return new Store(settings);
  };
  const ask = (method: 'incr' | 'read', store: FastifyRateLimitStore, key = 'a', timeWindow = MINUTE_MS) =>
    new Promise<FastifyRateLimitResult | undefined>((resolve, reject) => {
      store[method](key, (error, result) => (error ? reject(error) : resolve(result)), timeWindow, 2);
    });

  it('incr counts each hit of a key, and says how long its window goes on', async () => {
    const store = storeWith();
    const first = await ask('incr', store);
    expect(first).toEqual({ current: 1, ttl: MINUTE_MS });
    for (let hit = 2; hit <= 4; hit++) expect(await ask('incr', store)).toMatchObject({ current: hit });
    const { ttl } = (await ask('incr', store)) as FastifyRateLimitResult;
    expect(ttl).toBeLessThanOrEqual(MINUTE_MS);
    expect(await ask('incr', store, 'b')).toMatchObject({ current: 1 });
  });

  it('read counts nothing', async () => {
    const store = storeWith();
    expect(await ask('read', store)).toEqual({ current: 0, ttl: 0 });
    await ask('incr', store);
    for (let time = 0; time < 2; time++) expect(await ask('read', store)).toMatchObject({ current: 1 });
  });

  it('child counts apart for each route, and the same in every process', async () => {
    const [store, elsewhere] = [storeWith(), storeWith()];
    await ask('incr', store);
    const routes = [
      { method: 'GET', url: '/a' },
      { method: 'POST', url: '/a' },
      { method: ['GET', 'HEAD'], url: '/b' },
    ];
    for (const routeInfo of routes) {
      expect(await ask('incr', store.child({ routeInfo }))).toMatchObject({ current: 1 });
      expect(await ask('incr', elsewhere.child({ routeInfo }))).toMatchObject({ current: 2 });
    }
  });

  it('begins the window anew with each hit beyond the limit, with continueExceeding', async () => {
    const store = storeWith({ continueExceeding: true });
    for (let hit = 1; hit <= 2; hit++) await ask('incr', store);
    await bench.stores.rateLimits.withPrefix('fastify-rate-limit-').endAfter('a', 10_000);
    expect(((await ask('read', store)) as FastifyRateLimitResult).ttl).toBeLessThanOrEqual(10_000);
    expect(await ask('incr', store)).toEqual({ current: 3, ttl: MINUTE_MS });
    expect(((await ask('read', store)) as FastifyRateLimitResult).ttl).toBeGreaterThan(10_000);
  });

  it('doubles the time to wait with each hit beyond the limit, with exponentialBackoff, to no more than a hundred years', async () => {
    const store = storeWith({ exponentialBackoff: true });
    for (let hit = 1; hit <= 2; hit++) await ask('incr', store);
    for (const factor of [1, 2, 4, 8]) expect(await ask('incr', store)).toMatchObject({ ttl: factor * MINUTE_MS });
    expect(((await ask('read', store)) as FastifyRateLimitResult).ttl).toBeGreaterThan(7 * MINUTE_MS);
    await bench.stores.rateLimits.withPrefix('fastify-rate-limit-').increment('a', MINUTE_MS, 1_000);
    expect(await ask('incr', store)).toMatchObject({ current: 1_007, ttl: 100 * 365 * 24 * HOUR_MS });
  });

  it('calls back with the error where the table is missing', async () => {
    await bench.database.execute('drop table rate_limits');
    for (const method of ['incr', 'read'] as const) {
      expect(await rejection(ask(method, storeWith()))).toMatchObject({ code: 'DBM_STORE_TABLE' });
    }
  });
});

describe('fastify 5 with @fastify/rate-limit on a database', () => {
  let app: FastifyInstance;

  async function start(options: RateLimitPluginOptions = {}): Promise<Visitor> {
    app = fastify();
    const store = fastifyRateLimitStore(bench.stores.rateLimits);
    await app.register(fastifyRateLimit, { max: 3, timeWindow: '1 minute', store, ...options });
    app.get('/', async () => ({}));
    app.get('/strict', { config: { rateLimit: { max: 1 } } }, async () => ({}));
    app.get('/left', { config: { rateLimit: false } }, async (request) => {
      const limit = await app.createRateLimit()(request, { increment: false });
      return 'remaining' in limit ? { remaining: limit.remaining } : {};
    });
    return new Visitor(await app.listen({ host: '127.0.0.1', port: 0 }));
  }
  afterEach(() => app?.close());

  it('lets requests pass up to the limit, and says how many are left and how long to wait', async () => {
    const visitor = await start();
    await expectLimitOfThree(visitor, 'x-ratelimit-remaining');
  });

  it('lets exactly the limit pass of many requests at once', async () => {
    const visitor = await start({ max: 10 });
    expect(await passedAtOnce(visitor, 30)).toBe(10);
  });

  it('counts a route with a limit of its own apart', async () => {
    const visitor = await start();
    expect((await visitor.get('/strict')).status).toBe(200);
    expect((await visitor.get('/strict')).status).toBe(429);
    expect((await visitor.get('/')).status).toBe(200);
  });

  it('tells how many are left without counting', async () => {
    const visitor = await start();
    await visitor.get('/');
    for (let time = 0; time < 2; time++) expect((await visitor.get('/left')).body).toEqual({ remaining: 2 });
  });

  it('answers 500 while the database fails, or lets pass where it is told to', async () => {
    const visitor = await start();
    await bench.database.execute('drop table rate_limits');
    expect(await visitor.get('/')).toMatchObject({ status: 500, body: { code: 'DBM_STORE_TABLE' } });
    await app.close();
    const lenient = await start({ skipOnError: true });
    expect((await lenient.get('/')).status).toBe(200);
  });
});
