import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import express from 'express';
import session, { type SessionData, type Store } from 'express-session';
import { rejection } from '../../../../test/support/sql-engines.js';
import { HttpServer, Visitor } from '../../test/http-server.js';
import { eachWithStores } from '../../test/stores-fixture.js';
import { MAX_SESSION_BYTES, runVisitsSuite } from '../../test/visits-suite.js';
import { expressSessionStore } from './express-session-store.js';

declare module 'express-session' {
  interface SessionData {
    visits?: number;
    user?: string;
  }
}

const DAY_MS = 86_400_000;
const bench = eachWithStores({ now: Date.now, maxSessionBytes: MAX_SESSION_BYTES });

/** What a method of a store calls back with. */
function answer<T>(
  call: (callback: (error: Error | null, result?: T | null) => void) => void,
): Promise<T | null | undefined> {
  return new Promise((resolve, reject) => {
    call((error, result) => (error ? reject(error) : resolve(result)));
  });
}

function dataOf(cookie: Partial<SessionData['cookie']> = {}, more: object = {}): SessionData {
  // Other applications of this repository have more in their sessions.
  return { cookie: { originalMaxAge: null, ...cookie }, ...more } as SessionData;
}

describe('the store of express-session, method by method', () => {
  let store: Store;
  const get = (id: string) => answer<SessionData>((callback) => store.get(id, callback));
  const set = (id: string, data: SessionData) => answer((callback) => store.set(id, data, callback));

  beforeEach(() => {
    store = expressSessionStore(bench.stores.sessions);
  });

  it('is a Store and an EventEmitter of that package', () => {
    expect(store).toBeInstanceOf(session.Store);
    expect(store.listenerCount('error')).toBe(0);
  });

  it('get gives null for a session that there is not, and what was set for one that there is', async () => {
    expect(await get('none')).toBeNull();
    await set('a', dataOf({}, { user: 'ann' }));
    expect(await get('a')).toEqual({ cookie: { originalMaxAge: null }, user: 'ann' });
  });

  it('set writes over what is there, and keeps the time of its creation', async () => {
    await set('a', dataOf({}, { user: 'ann' }));
    const created = (await bench.stores.sessions.load('a'))?.createdAt;
    await set('a', dataOf({}, { user: 'bob' }));
    expect(await get('a')).toMatchObject({ user: 'bob' });
    expect((await bench.stores.sessions.load('a'))?.createdAt).toEqual(created);
  });

  it('set lets it live as long as its cookie, and for a day one that ends with the browser', async () => {
    const expires = new Date(Date.now() + 5_000);
    const before = Date.now();
    await set('dated', dataOf({ expires }));
    await set('browser', dataOf());
    expect((await bench.stores.sessions.load('dated'))?.expiresAt).toEqual(expires);
    const endOfOther = (await bench.stores.sessions.load('browser'))?.expiresAt.getTime() ?? 0;
    expect(endOfOther).toBeGreaterThanOrEqual(before + DAY_MS);
    expect(endOfOther).toBeLessThanOrEqual(Date.now() + DAY_MS);
  });

  it('get gives null for one whose time is over', async () => {
    await set('a', dataOf({ expires: new Date(Date.now() - 1) }));
    expect(await get('a')).toBeNull();
  });

  it('touch changes its end alone, also that of its cookie, and makes no session', async () => {
    await set('a', dataOf({ originalMaxAge: 1_000, expires: new Date(Date.now() + 60_000) }, { user: 'ann' }));
    const expires = new Date(Date.now() + DAY_MS);
    await answer((callback) => store.touch?.('a', dataOf({ expires }, { user: 'eve' }), callback as () => void));
    const found = await get('a');
    expect(found).toEqual({ cookie: { originalMaxAge: 1_000, expires: expires.toJSON() }, user: 'ann' });
    await answer((callback) => store.touch?.('none', dataOf({ expires }), callback as () => void));
    expect(await get('none')).toBeNull();
  });

  it('destroy deletes, as often as it is asked', async () => {
    await set('a', dataOf());
    for (let time = 0; time < 2; time++) await answer((callback) => store.destroy('a', callback));
    expect(await get('a')).toBeNull();
  });

  it('all, length and clear are of the sessions whose time is not over', async () => {
    await set('a', dataOf({}, { user: 'ann' }));
    await set('b', dataOf({}, { user: 'bob' }));
    await set('over', dataOf({ expires: new Date(Date.now() - 1) }));
    expect(await answer<unknown>((callback) => store.all?.(callback))).toEqual([
      expect.objectContaining({ id: 'a', user: 'ann' }),
      expect.objectContaining({ id: 'b', user: 'bob' }),
    ]);
    expect(await answer<number>((callback) => store.length?.(callback))).toBe(2);
    await answer((callback) => store.clear?.(callback));
    expect(await answer<number>((callback) => store.length?.(callback))).toBe(0);
  });

  it('keeps whose a session is, where it is told', async () => {
    store = expressSessionStore(bench.stores.sessions, { ownerOf: ({ user }) => ({ userId: String(user) }) });
    await set('a', dataOf({}, { user: 'ann' }));
    expect((await bench.stores.sessions.load('a'))?.userId).toBe('ann');
  });

  describe('without its table', () => {
    const MISSING = { code: 'DBM_STORE_TABLE', table: 'sessions' };
    beforeEach(() => bench.database.execute('drop table sessions'));

    it('calls back with the error', async () => {
      const touched = answer((callback) => store.touch?.('a', dataOf(), callback as () => void));
      const calls: [string, Promise<unknown>][] = [
        ['get', get('a')],
        ['set', set('a', dataOf())],
        ['touch', touched],
        ['destroy', answer((callback) => store.destroy('a', callback))],
        ['all', answer((callback) => store.all?.(callback))],
        ['length', answer<number>((callback) => store.length?.(callback))],
        ['clear', answer((callback) => store.clear?.(callback))],
      ];
      for (const [name, call] of calls) expect([name, await rejection(call)]).toMatchObject([name, MISSING]);
    });

    it('tells those who listen to its errors what went wrong without a callback', async () => {
      const told = once(store, 'error');
      store.destroy('a');
      expect(await told).toMatchObject([MISSING]);
    });

    it('warns when nobody listens either', async () => {
      const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
      try {
        const warned = new Promise((resolve) => {
          warn.mockImplementation(resolve as typeof process.emitWarning);
        });
        store.destroy('a');
        expect(await warned).toMatchObject(MISSING);
      } finally {
        warn.mockRestore();
      }
    });
  });
});

describe('express 5 with express-session on a database', () => {
  let server: HttpServer;
  let failures: unknown[];

  beforeEach(async () => {
    failures = [];
    const app = express();
    const cookie = { maxAge: 60_000 };
    const store = expressSessionStore(bench.stores.sessions);
    app.use(session({ secret: 'a secret of the test', resave: false, saveUninitialized: false, cookie, store }));
    app.get('/count', (request, response) => {
      request.session.visits = (request.session.visits ?? 0) + 1;
      response.json({ visits: request.session.visits });
    });
    app.get('/look', (request, response) => {
      response.json({ visits: request.session.visits ?? 0 });
    });
    app.get('/login', (request, response, next) => {
      request.session.regenerate((error) => {
        if (error) return next(error);
        request.session.user = 'ann';
        response.json({});
      });
    });
    app.get('/large', (request, response) => {
      request.session.user = 'x'.repeat(MAX_SESSION_BYTES);
      response.json({});
    });
    app.get('/logout', (request, response, next) => {
      request.session.destroy((error) => (error ? next(error) : response.json({})));
    });
    app.use(((error, _request, response, next) => {
      failures.push(error);
      if (response.headersSent) return next(error);
      response.status(500).json({ code: error.code });
    }) as express.ErrorRequestHandler);
    server = await HttpServer.start(app);
  });
  afterEach(() => server?.[Symbol.asyncDispose]());

  runVisitsSuite(bench, () => server.url);

  it('gives a session more time with each request, without saving it again', async () => {
    const ann = new Visitor(server.url);
    await ann.get('/count');
    await bench.database.execute('update sessions set expires_at = expires_at - 30000');
    const [before] = await bench.stores.sessions.all();
    await ann.get('/look');
    const [after] = await bench.stores.sessions.all();
    expect(after?.expiresAt.getTime()).toBeGreaterThan(before?.expiresAt.getTime() ?? Number.POSITIVE_INFINITY);
    expect(after?.createdAt).toEqual(before?.createdAt);
  });

  it('begins anew when the id of a session was made up', async () => {
    const ann = new Visitor(server.url);
    ann.cookies.set('connect.sid', 's%3Amade-up.signature');
    expect((await ann.get('/count')).body).toEqual({ visits: 1 });
  });

  it('hands on the error of a session that is too large', async () => {
    await new Visitor(server.url).get('/large');
    expect(failures).toMatchObject([{ code: 'DBM_TOO_LARGE' }]);
  });
});
