import { expect, it } from '@jest/globals';
import { Visitor } from './http-server.js';
import type { StoresFixture } from './stores-fixture.js';

/** Most bytes of a session here. */
export const MAX_SESSION_BYTES = 2_000;
/** Of a table that has gone: SQLite itself may have the statement from before. */
const FAILED = expect.stringMatching(/^DBM_(?:STORE_TABLE|QUERY_FAILED)$/);

/**
 * What visitors may expect of a framework with its session store on a database. The application answers at `/count` with the number
 * of `visits`, at `/look` with the same without a visit, at `/login` with a session of another id, at `/large` with one that is too
 * large, and at `/logout` without one. Its sessions have at most {@link MAX_SESSION_BYTES}.
 *
 * @param url of the application of the running test
 */
export function runVisitsSuite(bench: StoresFixture, url: () => string): void {
  it('keeps what a visitor did from request to request, each visitor for itself', async () => {
    const [ann, bob] = [new Visitor(url()), new Visitor(url())];
    expect((await ann.get('/count')).body).toEqual({ visits: 1 });
    expect((await ann.get('/count')).body).toEqual({ visits: 2 });
    expect((await bob.get('/count')).body).toEqual({ visits: 1 });
    expect((await ann.get('/look')).body).toEqual({ visits: 2 });
    expect(await bench.stores.sessions.count()).toBe(2);
  });

  it('saves nothing for a visitor of whom there is nothing to keep', async () => {
    expect((await new Visitor(url()).get('/look')).headers.getSetCookie()).toEqual([]);
    expect(await bench.stores.sessions.count()).toBe(0);
  });

  it('changes the id at login, and forgets the visitor at logout', async () => {
    const ann = new Visitor(url());
    await ann.get('/count');
    const [before] = await bench.stores.sessions.all();
    await ann.get('/login');
    const [after, ...others] = await bench.stores.sessions.all();
    expect(others).toEqual([]);
    expect(after?.id).not.toBe(before?.id);
    expect(after?.data).toMatchObject({ user: 'ann' });
    await ann.get('/logout');
    expect(await bench.stores.sessions.count()).toBe(0);
  });

  it('begins anew when the time of a session is over', async () => {
    const ann = new Visitor(url());
    await ann.get('/count');
    await bench.database.execute('update sessions set expires_at = 1');
    expect((await ann.get('/count')).body).toEqual({ visits: 1 });
  });

  it('keeps what was there when a session has become too large, and answers 500 while the database fails', async () => {
    const ann = new Visitor(url());
    await ann.get('/count');
    await ann.get('/large');
    expect((await ann.get('/look')).body).toEqual({ visits: 1 });
    await bench.database.execute('drop table sessions');
    expect(await ann.get('/look')).toMatchObject({ status: 500, body: { code: FAILED } });
  });
}
