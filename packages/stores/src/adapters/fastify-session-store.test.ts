import fastifyCookie from '@fastify/cookie';
import fastifySession from '@fastify/session';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fastify, { type FastifyInstance } from 'fastify';
import { rejection } from '../../../../test/support/sql-engines.js';
import { Visitor } from '../../test/http-server.js';
import { eachWithStores } from '../../test/stores-fixture.js';
import { MAX_SESSION_BYTES, runVisitsSuite } from '../../test/visits-suite.js';
import { FastifySessionStore } from './fastify-session-store.js';

declare module 'fastify' {
  interface Session {
    visits?: number;
    user?: string;
  }
}

const bench = eachWithStores({ now: Date.now, maxSessionBytes: MAX_SESSION_BYTES });

describe('the store of @fastify/session, method by method', () => {
  let store: FastifySessionStore;
  const get = (id: string) =>
    new Promise((resolve, reject) => {
      store.get(id, (error, result) => (error ? reject(error) : resolve(result)));
    });
  const done = (call: (callback: (error: Error | null) => void) => void) =>
    new Promise<void>((resolve, reject) => {
      call((error) => (error ? reject(error) : resolve()));
    });

  beforeEach(() => {
    store = new FastifySessionStore(bench.stores.sessions, { ttlMs: 1_000, ownerOf: () => ({ tenantId: 'acme' }) });
  });

  it('gets what was set, until it is destroyed or its time is over', async () => {
    const data = { cookie: { originalMaxAge: null, expires: null }, user: 'ann' };
    await done((callback) => store.set('a', data, callback));
    expect(await get('a')).toEqual(data);
    expect(await bench.stores.sessions.load('a')).toMatchObject({ tenantId: 'acme' });
    await bench.database.execute('update sessions set expires_at = 1');
    expect(await get('a')).toBeNull();
    await done((callback) => store.set('a', data, callback));
    for (let time = 0; time < 2; time++) await done((callback) => store.destroy('a', callback));
    expect(await get('a')).toBeNull();
  });

  it('calls back with the error where the table is missing', async () => {
    await bench.database.execute('drop table sessions');
    const calls = [
      get('a'),
      done((callback) => store.set('a', {}, callback)),
      done((callback) => store.destroy('a', callback)),
    ];
    for (const call of calls) expect(await rejection(call)).toMatchObject({ code: 'DBM_STORE_TABLE' });
  });
});

describe('fastify 5 with @fastify/session on a database', () => {
  let app: FastifyInstance;
  let url: string;

  beforeEach(async () => {
    app = fastify();
    await app.register(fastifyCookie);
    await app.register(fastifySession, {
      secret: 'a secret of the test, of 32 letters',
      cookie: { secure: false, maxAge: 60_000 },
      saveUninitialized: false,
      store: new FastifySessionStore(bench.stores.sessions),
    });
    app.get('/count', async ({ session }) => {
      session.visits = (session.visits ?? 0) + 1;
      return { visits: session.visits };
    });
    app.get('/look', async ({ session }) => ({ visits: session.visits ?? 0 }));
    app.get('/login', async (request) => {
      await request.session.regenerate();
      request.session.user = 'ann';
      return {};
    });
    app.get('/large', async ({ session }) => {
      session.user = 'x'.repeat(MAX_SESSION_BYTES);
      return {};
    });
    app.get('/logout', async ({ session }) => {
      await session.destroy();
      return {};
    });
    url = await app.listen({ host: '127.0.0.1', port: 0 });
  });
  afterEach(() => app?.close());

  runVisitsSuite(bench, () => url);

  it('answers 500 for a session that is too large', async () => {
    const answer = await new Visitor(url).get('/large');
    expect(answer).toMatchObject({ status: 500, body: { code: 'DBM_TOO_LARGE' } });
  });
});
