import fastifyCookie from '@fastify/cookie';
import fastifySession from '@fastify/session';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fastify, { type FastifyInstance } from 'fastify';
import { rejection, SQLITE } from '../../../../test/support/sql-engines.js';
import { StoreBench } from '../../../../test/support/store-engines.js';
import { Visitor } from '../../test/http-server.js';
import type { SessionStore } from '../session-store.js';
import { FastifySessionStore } from './fastify-session-store.js';

declare module 'fastify' {
  interface Session {
    visits?: number;
    user?: string;
  }
}

/** SQLite itself may have the statement from before. */
const FAILED = expect.stringMatching(/^DBM_(?:STORE_TABLE|QUERY_FAILED)$/);

let bench: StoreBench;
let sessions: SessionStore;

beforeEach(async () => {
  bench = await StoreBench.open(SQLITE);
  const stores = bench.stores({ now: Date.now, maxSessionBytes: 2_000 });
  await stores.createTables();
  sessions = stores.sessions;
});
afterEach(() => bench?.close());

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
    store = new FastifySessionStore(sessions, { ttlMs: 1_000, ownerOf: () => ({ tenantId: 'acme' }) });
  });

  it('gets what was set, until it is destroyed or its time is over', async () => {
    const data = { cookie: { originalMaxAge: null, expires: null }, user: 'ann' };
    await done((callback) => store.set('a', data, callback));
    expect(await get('a')).toEqual(data);
    expect(await sessions.load('a')).toMatchObject({ tenantId: 'acme' });
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
      store: new FastifySessionStore(sessions),
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
      session.user = 'x'.repeat(3_000);
      return {};
    });
    app.get('/logout', async ({ session }) => {
      await session.destroy();
      return {};
    });
    url = await app.listen({ host: '127.0.0.1', port: 0 });
  });
  afterEach(() => app?.close());

  it('keeps what a visitor did from request to request, each visitor for itself', async () => {
    const [ann, bob] = [new Visitor(url), new Visitor(url)];
    expect((await ann.get('/count')).body).toEqual({ visits: 1 });
    expect((await ann.get('/count')).body).toEqual({ visits: 2 });
    expect((await bob.get('/count')).body).toEqual({ visits: 1 });
    expect((await ann.get('/look')).body).toEqual({ visits: 2 });
    expect(await sessions.count()).toBe(2);
  });

  it('saves nothing for a visitor of whom there is nothing to keep', async () => {
    expect((await new Visitor(url).get('/look')).headers.getSetCookie()).toEqual([]);
    expect(await sessions.count()).toBe(0);
  });

  it('changes the id at login, and forgets the visitor at logout', async () => {
    const ann = new Visitor(url);
    await ann.get('/count');
    const [before] = await sessions.all();
    await ann.get('/login');
    const [after] = await sessions.all();
    expect(await sessions.count()).toBe(1);
    expect(after?.id).not.toBe(before?.id);
    await ann.get('/logout');
    expect(await sessions.count()).toBe(0);
  });

  it('begins anew when the time of a session is over', async () => {
    const ann = new Visitor(url);
    await ann.get('/count');
    await bench.database.execute('update sessions set expires_at = 1');
    expect((await ann.get('/count')).body).toEqual({ visits: 1 });
  });

  it('answers 500 for a session that is too large, and while the database fails', async () => {
    const ann = new Visitor(url);
    await ann.get('/count');
    expect(await ann.get('/large')).toMatchObject({ status: 500, body: { code: 'DBM_TOO_LARGE' } });
    expect((await ann.get('/look')).body).toEqual({ visits: 1 });
    await bench.database.execute('drop table sessions');
    expect(await ann.get('/look')).toMatchObject({ status: 500, body: { code: FAILED } });
  });
});
