import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { rejection, SQLITE } from '../../../test/support/sql-engines.js';
import { StoreBench } from '../../../test/support/store-engines.js';
import { ExpressRateLimitStore } from './adapters/express-rate-limit-store.js';
import { expressSessionStore } from './adapters/express-session-store.js';
import { fastifyRateLimitStore } from './adapters/fastify-rate-limit-store.js';
import { FastifySessionStore } from './adapters/fastify-session-store.js';
import { storeMigration } from './store-migration.js';
import type { Stores } from './stores.js';

/** What a caller without types, or a request, may give. */
const wrong = (value: unknown) => value as never;

SQLITE.describe('What stores are given', () => {
  let bench: StoreBench;
  let stores: Stores;

  beforeAll(async () => {
    bench = await StoreBench.open(SQLITE);
    stores = bench.stores();
    await stores.createTables();
    await stores.tenants.save({ id: 't1', name: 'One' });
  });

  afterAll(async () => {
    await bench?.close();
  });

  const limits = () => stores.rateLimits;
  const invalid = (option: string) => expect.objectContaining({ code: 'DBM_INVALID_OPTION', option });

  describe.each(['plugin', '', null, ['plugins'], {}])('for a selection of tables: %p', (tables) => {
    it('drops none, and creates none', async () => {
      await expect(rejection(stores.dropTables({ tables: wrong(tables) }))).resolves.toEqual(invalid('tables'));
      await expect(rejection(stores.createTables({ tables: wrong(tables) }))).resolves.toEqual(invalid('tables'));
      await expect(stores.tenants.load('t1')).resolves.toBeDefined();
    });

    it('makes no migration', () => {
      const options = { type: 'sqlite', version: 1, tables: wrong(tables) };
      expect(() => storeMigration(options)).toThrow(invalid('tables'));
    });
  });

  it.each(['plugins', { table: 'plugins' }, { tables: 'plugins', prefix: 'p_' }, null])(
    'drops and creates no tables when asked with %p, which would mean all of them',
    async (options) => {
      const refused = { code: 'DBM_INVALID_OPTION' };
      await expect(rejection(stores.dropTables(wrong(options)))).resolves.toMatchObject(refused);
      await expect(rejection(stores.createTables(wrong(options)))).resolves.toMatchObject(refused);
      await expect(stores.tenants.load('t1')).resolves.toBeDefined();
    },
  );

  it.each<[string, string, () => unknown]>([
    ['a migration', 'table', () => storeMigration(wrong({ type: 'sqlite', version: 1, table: 'plugins' }))],
    ['stores', 'maxSession', () => bench.stores(wrong({ maxSession: 5 }))],
    ['a clean-up', 'intervall', () => stores.startCleanUp(wrong({ intervall: '1h' }))],
    ['a session store of Express', 'ttl', () => expressSessionStore(stores.sessions, wrong({ ttl: 5 }))],
    ['one of Fastify', 'ttlMs', () => new FastifySessionStore(stores.sessions, wrong({ ttlMs: '1d' }))],
    ['one of Fastify', 'ownerOf', () => new FastifySessionStore(stores.sessions, wrong({ ownerOf: 'user' }))],
    [
      'a rate-limit store of Express',
      'keyPrefix',
      () => new ExpressRateLimitStore(limits(), wrong({ keyPrefix: 'a' })),
    ],
    ['one of Fastify', 'keyPrefix', () => fastifyRateLimitStore(limits(), wrong({ keyPrefix: 'a' }))],
    ['stores in a transaction', 'tx', () => stores.on(wrong(undefined))],
    ['stores in a transaction', 'tx', () => stores.on(wrong(bench.database))],
  ])('refuses for %s the option %s that cannot be meant (%#)', (_what, option, make) => {
    expect(make).toThrow(invalid(option));
  });

  it('refuses the transaction of another connection, whose tables are others', async () => {
    const others = bench.stores({ connectionName: 'other' });
    const bound = bench.database.transaction(async (tx) => others.on(tx));
    await expect(rejection(bound)).resolves.toEqual(invalid('tx'));
  });

  it.each<[string, string, (nothing: never) => Promise<unknown>]>([
    ['a session', 'session', (nothing) => stores.sessions.save(nothing)],
    ['a token', 'token', (nothing) => stores.accessTokens.save(nothing)],
    ['a tenant', 'tenant', (nothing) => stores.tenants.save(nothing)],
    ['metrics', 'metrics', (nothing) => stores.workloadMetrics.save(nothing)],
    ['metrics in a list', 'metrics', (nothing) => stores.workloadMetrics.saveMany(wrong([nothing]))],
  ])('refuses to save %s that is none', async (_what, option, save) => {
    for (const nothing of [undefined, null, 'text', []]) {
      await expect(rejection(save(wrong(nothing)))).resolves.toEqual(invalid(option));
    }
  });

  it('refuses to issue a token for nothing', async () => {
    await expect(rejection(stores.accessTokens.issue(wrong(undefined)))).resolves.toEqual(invalid('expiresAt'));
  });

  it('deletes no metrics when it is not told up to when', async () => {
    const timestamp = new Date(bench.clock.now);
    await stores.workloadMetrics.save({ tenantId: 't1', timestamp });
    for (const options of [undefined, {}, { untill: timestamp }, { until: '2026-01-01' }]) {
      const refused = rejection(stores.workloadMetrics.cleanUp(wrong(options)));
      await expect(refused).resolves.toEqual(invalid('until'));
    }
    await expect(stores.workloadMetrics.list('t1', timestamp, timestamp)).resolves.toHaveLength(1);
  });

  it.each([
    ['signl', { signl: AbortSignal.abort() }],
    ['signal', { signal: new AbortController() }],
  ])('refuses the option %s of a call, rather than to run it without', async (option, options) => {
    const { sessions, tenants, rateLimits } = stores;
    const session = { id: 's1', data: {}, expiresAt: new Date(bench.clock.now + 1_000) };
    const calls = [
      sessions.load('s1', wrong(options)),
      sessions.save(session, wrong(options)),
      sessions.cleanUp(wrong(options)),
      tenants.save({ id: 't3', name: 'Three' }, wrong(options)),
      rateLimits.consume('k', 1, '1m', 1, wrong(options)),
      rateLimits.cleanUp(wrong(options)),
    ];
    const errors = await Promise.all(calls.map(rejection));
    expect(errors).toEqual(calls.map(() => invalid(option)));
    await expect(sessions.count()).resolves.toBe(0);
    await expect(tenants.load('t3')).resolves.toBeUndefined();
  });

  it.each([Number.NaN, -1, 0.5, '1000', null])('refuses %p for the most bytes of a session', (maxSessionBytes) => {
    expect(() => bench.stores({ maxSessionBytes: wrong(maxSessionBytes) })).toThrow(invalid('maxSessionBytes'));
  });

  it.each(['read', ['read', 5], {}])('refuses %p for the scopes that a token must have', async (scopes) => {
    const expiresAt = new Date(bench.clock.now + 1_000);
    const { token } = await stores.accessTokens.issue({ expiresAt, scopes: ['read'] });
    const refused = rejection(stores.accessTokens.validate(token, { scopes: wrong(scopes) }));
    await expect(refused).resolves.toEqual(invalid('scopes'));
  });

  it.each(['a.com', {}, 5])('refuses %p for the hosts of a tenant, and saves nothing of it', async (hosts) => {
    const refused = rejection(stores.tenants.save({ id: 't2', name: 'Two', hosts: wrong(hosts) }));
    await expect(refused).resolves.toEqual(invalid('hosts'));
    await expect(stores.tenants.load('t2')).resolves.toBeUndefined();
  });

  it('refuses what is no list of metrics', async () => {
    await expect(rejection(stores.workloadMetrics.saveMany(wrong({})))).resolves.toEqual(invalid('metrics'));
  });
});
