import type { StatementObserver, StatementResult } from '@dbmanager/core';
import type { CacheWish, CallOptions } from '@dbmanager/database';
import { FakeClock, settle } from '@dbmanager/testkit';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryStore } from './memory-store.js';
import { QueryCache } from './query-cache.js';

const TTL_MS = 60_000;

describe('QueryCache', () => {
  let clock: FakeClock;
  let cache: QueryCache;
  let observer: StatementObserver;
  /** Executions that wait for their answer. */
  let asked: PromiseWithResolvers<StatementResult>[];
  let executions: number;

  beforeEach(() => open());

  function open({ size = 100, maxBytes = 1_000_000 } = {}): void {
    clock = new FakeClock();
    const store = new MemoryStore({ clock, size, maxBytes });
    cache = new QueryCache({ connectionName: 'test', clock, store, ttlMs: TTL_MS });
    observer = cache.observe({ identity: { system: 'test' } }) as StatementObserver;
    asked = [];
    executions = 0;
  }

  const rowsOf = (value: unknown): StatementResult => ({ rows: [{ value }], rowsAffected: 1, lastInsertId: undefined });

  interface ReadSetup extends CallOptions {
    readonly params?: readonly unknown[];
    /** The answer waits in {@link asked}. */
    readonly slow?: boolean;
    readonly held?: boolean;
  }

  /** Asks; the database answers with the number of the execution, at once unless it is slow. */
  async function read(
    sql: string,
    { params, slow, held = false, ...options }: ReadSetup = {},
    wanted: CacheWish = {},
  ): Promise<unknown> {
    const execute = ({ signal }: CallOptions) => {
      executions++;
      if (slow !== true) return Promise.resolve(rowsOf(executions));
      const answer = Promise.withResolvers<StatementResult>();
      asked.push(answer);
      signal?.addEventListener('abort', () => answer.reject(signal.reason));
      return answer.promise;
    };
    const { rows } = await cache.read({ statement: { sql, params }, lexis: undefined, wanted, options, held, execute });
    return rows[0]?.value;
  }

  const write = (sql: string, connection?: object) => observer.begin(sql, false, connection).end();

  it('seeds 2: Query cache: gives what was read once until the time is over', async () => {
    expect(await read('select * from t')).toBe(1);
    await clock.advance(TTL_MS - 1);
    expect(await read('select * from t')).toBe(1);
    await clock.advance(1);
    expect(await read('select * from t')).toBe(2);
    expect(cache.stats()).toMatchObject({ hits: 1, misses: 2 });
  });

  it('seeds 2: QueryOptions: the time of a result is that of the call that read it', async () => {
    await read('select * from t', {}, { ttlMs: 10 });
    await clock.advance(10);
    expect(await read('select * from t', {}, { ttlMs: 0 })).toBe(2);
    expect(await read('select * from t')).toBe(3);
  });

  it('seeds 2: Query cache: a value of another type is another key', async () => {
    const values = [1, '1', 1n, true, null, new Date(1), Buffer.from('1')];
    for (const value of values) await read('select * from t where a = ?', { params: [value] });
    expect(executions).toBe(values.length);
  });

  it('seeds 2: Query cache: drops what was read of a table when that is written to, failed or not', async () => {
    await read('select * from a join b on true');
    write('insert into c values (1)');
    expect(await read('select * from a join b on true')).toBe(1);
    write('update B set x = 1');
    expect(await read('select * from a join b on true')).toBe(2);
    observer.begin('delete from a', false).fail(new Error('the connection died'));
    expect(await read('select * from a join b on true')).toBe(3);
    write('create index on a (x)');
    expect(await read('select * from a join b on true')).toBe(4);
  });

  it('seeds 2: Query cache: what is read before a COMMIT is not there after it', async () => {
    const [one, other] = [{}, {}];
    write('begin', one);
    write('begin', other);
    write('insert into t values (1)', one);
    expect(await read('select * from t')).toBe(1);
    write('commit', other);
    expect(await read('select * from t')).toBe(1);
    write('commit', one);
    expect(await read('select * from t')).toBe(2);
    write('begin', one);
    write('commit', one);
    expect(await read('select * from t')).toBe(2);
  });

  it('what was rolled back to a savepoint, or begun again, does not hide what else was written', async () => {
    const one = {};
    for (const sql of ['begin', 'insert into t values (1)', 'rollback to a', 'begin']) write(sql, one);
    expect(await read('select * from t')).toBe(1);
    write('commit', one);
    expect(await read('select * from t')).toBe(2);
  });

  it.each<[what: string, before: readonly string[], last: string]>([
    ['begun by the text that has written', ['begin; update t set a = 1'], 'commit'],
    ['begun after others in one text', ['rollback; begin; update t set a = 1'], 'commit'],
    ['begun after a COMMIT in one text', ['begin', 'commit; begin; update t set a = 1'], 'commit'],
    ['that has locked something since', ['begin', 'update t set a = 1', 'lock table u'], 'commit'],
    ['that has released a savepoint since', ['begin', 'update t set a = 1', 'release a'], 'commit'],
    ['that a savepoint has begun', ['savepoint a', 'update t set a = 1'], 'release a'],
    ['that is undone, for who reads what is not committed', ['begin', 'update t set a = 1'], 'rollback'],
  ])('a transaction %s counts at its end', async (_, before, last) => {
    const one = {};
    for (const sql of before) write(sql, one);
    expect(await read('select * from t')).toBe(1);
    write(last, one);
    expect(await read('select * from t')).toBe(2);
    write('begin', one);
    write('commit', one);
    const known = await read('select * from t');
    for (const sql of ['begin', 'commit']) write(sql, one);
    expect(await read('select * from t')).toBe(known);
  });

  it('what stands beside the end of a transaction counts at once', async () => {
    await read('select * from t');
    write('rollback; update t set a = 1', {});
    expect(await read('select * from t')).toBe(2);
  });

  it('a COMMIT that was refused may be repeated', async () => {
    const one = {};
    for (const sql of ['begin', 'insert into t values (1)']) write(sql, one);
    observer.begin('commit', false, one).fail(new Error('a row is missing'), 'SQLITE_CONSTRAINT_FOREIGNKEY');
    expect(await read('select * from t')).toBe(1);
    write('commit', one);
    expect(await read('select * from t')).toBe(2);
  });

  it.each(['commit', 'if @a = 1 commit else commit'])(
    'an inner COMMIT does not hide what was written: %s',
    async (inner) => {
      const lexis = { semicolons: 'optional' } as const;
      observer = cache.observe({ identity: { system: 'test' }, lexis }) as StatementObserver;
      const one = {};
      for (const sql of ['begin tran', 'begin tran update t set a = 1', inner]) write(sql, one);
      expect(await read('select * from t')).toBe(1);
      write('commit', one);
      expect(await read('select * from t')).toBe(2);
    },
  );

  it('a write of which nothing was heard any more may be made yet: what is read after it is not kept for long', async () => {
    observer.begin('update t set a = 1', false, {}).fail(new Error('the connection was lost'));
    expect(await read('select * from t')).toBe(1);
    await clock.advance(249);
    expect(await read('select * from t')).toBe(1);
    await clock.advance(1);
    expect(await read('select * from t')).toBe(2);
    await clock.advance(499);
    expect(await read('select * from t')).toBe(2);
    await clock.advance(1);
    expect(await read('select * from t')).toBe(3);
    await cache.close();
    expect(clock.pendingTimers).toBe(0);
  });

  it('so may a transaction of whose COMMIT nothing was heard any more', async () => {
    const one = {};
    for (const sql of ['begin', 'update t set a = 1']) write(sql, one);
    observer.begin('commit', false, one).fail(new Error('the connection was lost'));
    expect(await read('select * from t')).toBe(1);
    await clock.advance(250);
    expect(await read('select * from t')).toBe(2);
  });

  it('where connections are not told apart, every COMMIT may be that of a write', async () => {
    write('insert into t values (1)');
    for (const n of [1, 2]) {
      expect(await read('select * from t')).toBe(n);
      write('commit');
    }
  });

  it('what was read while a table was written to is not kept', async () => {
    const reading = read('select * from t', { slow: true });
    await settle();
    write('update t set a = 1');
    asked[0]?.resolve(rowsOf('old'));
    expect(await reading).toBe('old');
    expect(await read('select * from t')).toBe(2);
  });

  it('seeds 2: Query cache: single flight: a thousand that ask at once are one execution', async () => {
    const reading = Array.from({ length: 1_000 }, () => read('select * from t', { slow: true }));
    await settle();
    expect(executions).toBe(1);
    asked[0]?.resolve(rowsOf('x'));
    expect(new Set(await Promise.all(reading))).toEqual(new Set(['x']));
    expect(cache.stats()).toMatchObject({ hits: 0, misses: 1_000 });
  });

  it('who asks after a write does not wait for what was asked before it', async () => {
    const before = read('select * from t', { slow: true });
    await settle();
    write('update t set a = 1');
    expect(await read('select * from t')).toBe(2);
    asked[0]?.resolve(rowsOf('old'));
    expect(await before).toBe('old');
    expect(await read('select * from t')).toBe(2);
  });

  it('who gives up ends the own wait alone; when all have, the statement is stopped, and nobody else joins it', async () => {
    const [one, other] = [new AbortController(), new AbortController()];
    const reading = [one, other].map(({ signal }) => read('select * from t', { slow: true, signal }));
    const refused = reading.map((each) => expect(each).rejects.toMatchObject({ code: 'DBM_ABORTED' }));
    await settle();
    one.abort();
    await refused[0];
    const third = read('select * from t', { slow: true });
    await settle();
    expect(executions).toBe(1);
    asked[0]?.resolve(rowsOf('x'));
    other.abort();
    await refused[1];
    expect(await third).toBe('x');

    await cache.clear();
    const alone = new AbortController();
    const last = read('select * from t', { slow: true, signal: alone.signal });
    const gaveUp = expect(last).rejects.toMatchObject({ code: 'DBM_ABORTED' });
    await settle();
    alone.abort();
    const next = read('select * from t');
    await gaveUp;
    expect(await next).toBe(3);
  });

  it('seeds 2: Query cache: errors are for those who wait, and never kept', async () => {
    const reading = [1, 2].map(() => read('select * from t', { slow: true }));
    const failed = reading.map((each) => expect(each).rejects.toThrow('no such table'));
    await settle();
    asked[0]?.reject(new Error('no such table'));
    await Promise.all(failed);
    expect(await read('select * from t')).toBe(2);
  });

  it('who holds a connection waits for nobody, who may be waiting for that one, and has nobody wait', async () => {
    const waiting = read('select * from t', { slow: true });
    await settle();
    expect(await read('select * from t', { held: true })).toBe(2);
    asked[0]?.resolve(rowsOf('x'));
    expect(await waiting).toBe('x');

    await cache.clear();
    const refused = expect(read('select * from t', { slow: true, held: true })).rejects.toThrow('full');
    await settle();
    expect(await read('select * from t')).toBe(4);
    asked[1]?.reject(new Error('full'));
    await refused;
    await cache.clear();
    expect(await read('select * from t', { held: true })).toBe(5);
    expect(await read('select * from t')).toBe(5);
  });

  it('seeds 2: Query cache: what a caller changes in a result does not reach the next', async () => {
    const rows = async () => {
      const execute = async () => rowsOf({ list: [1], at: new Date(1) });
      const statement = { sql: 'select * from t' };
      const result = await cache.read({ statement, lexis: undefined, wanted: {}, options: {}, held: false, execute });
      return result.rows as { value: { list: number[]; at: Date } }[];
    };
    for (const result of await Promise.all([rows(), rows()])) {
      expect(result).toEqual([{ value: { list: [1], at: new Date(1) } }]);
      result[0]?.value.list.push(2);
      result[0]?.value.at.setTime(0);
      result.length = 0;
    }
    expect(await rows()).toEqual([{ value: { list: [1], at: new Date(1) } }]);
    expect(cache.stats()).toMatchObject({ hits: 1 });
  });

  it('who asks while a result is being kept is given it as it was read', async () => {
    const keeping = Promise.withResolvers<void>();
    const looked = { stamp: '', result: undefined, keeps: true };
    const stats = () => ({ evictions: 0, errors: 0, held: undefined });
    const nothing = () => undefined;
    const slow = {
      look: () => looked,
      keep: () => keeping.promise,
      told: nothing,
      bump: nothing,
      load() {},
      close: nothing,
      stats,
    };
    cache = new QueryCache({ connectionName: 'test', clock, store: slow, ttlMs: TTL_MS });
    const rows = async () => {
      const execute = async () => rowsOf([++executions]);
      const statement = { sql: 'select * from t' };
      const result = await cache.read({ statement, lexis: undefined, wanted: {}, options: {}, held: false, execute });
      return result.rows as { value: number[] }[];
    };
    (await rows())[0]?.value.push(2);
    expect(await rows()).toEqual([{ value: [1] }]);
    keeping.resolve();
    await settle();
    expect(await rows()).toEqual([{ value: [2] }]);
  });

  it('seeds 2: Query cache: the result that was not asked for the longest goes first', async () => {
    open({ size: 2 });
    for (const table of ['a', 'b', 'a', 'c']) await read(`select * from ${table}`);
    expect(executions).toBe(3);
    expect(await read('select * from a')).toBe(1);
    expect(await read('select * from b')).toBe(4);
    expect(cache.stats()).toMatchObject({ evictions: 2, held: { entries: 2 } });
  });

  it('keeps no more bytes than it may, and nothing that is larger alone', async () => {
    open({ maxBytes: 5_000 });
    const large = (value: string) => {
      const execute = async () => {
        executions++;
        return rowsOf(value);
      };
      return cache.read({
        statement: { sql: `select ${value.length} from t` },
        lexis: undefined,
        wanted: {},
        options: {},
        held: false,
        execute,
      });
    };
    for (const length of [1_000, 1_001, 1_002]) await large('x'.repeat(length));
    expect(cache.stats().held?.bytes).toBeLessThanOrEqual(5_000);
    expect(cache.stats()).toMatchObject({ evictions: 1, held: { entries: 2 } });
    await large('x'.repeat(10_000));
    await large('x'.repeat(10_000));
    expect(executions).toBe(5);
  });

  it('drops by tag, by table and by hand', async () => {
    const tagged = () => read('select * from t', {}, { tags: ['users', 'a'] });
    const view = () => read('select * from v', {}, { tables: ['Base'] });
    await tagged();
    await view();
    await cache.invalidate({ tags: ['b'], tables: ['u'] });
    expect([await tagged(), await view()]).toEqual([1, 2]);
    await cache.invalidate({ tags: ['a'] });
    expect([await tagged(), await view()]).toEqual([3, 2]);
    write('insert into base values (1)');
    expect([await tagged(), await view()]).toEqual([3, 4]);
    await cache.clear();
    expect([await tagged(), await view()]).toEqual([5, 6]);
  });

  it('takes tables with their schema as well', async () => {
    const view = () => read('select * from v', {}, { tables: ['public.Base'] });
    await view();
    write('insert into sales.base values (1)');
    expect(await view()).toBe(2);
    await cache.invalidate({ tables: ['dbo.V'] });
    expect(await view()).toBe(3);
  });

  it.each([
    'select my_function()',
    'select * from my_function()',
    'select * from t for update',
    'update t set a = 1 returning *',
    'with x as (delete from t returning *) select * from x',
  ])('asks the database each time for what it cannot tell when to drop: %s', async (sql) => {
    expect([await read(sql), await read(sql)]).toEqual([1, 2]);
    expect(cache.stats()).toMatchObject({ hits: 0, misses: 0 });
  });

  it('forgets names that were dropped long ago without giving what was read before', async () => {
    await read('select * from t');
    for (let n = 0; n <= 10_000; n++) await cache.invalidate({ tags: [`user ${n}`] });
    expect(await read('select * from t')).toBe(2);
    expect(await read('select * from t')).toBe(2);
  });
});
