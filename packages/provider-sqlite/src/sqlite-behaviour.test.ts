import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock, SqlSession } from '@dbmanager/core';
import { TestConnection, type TestOptions, testConfig, testContext } from '@dbmanager/testkit';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import Database from 'better-sqlite3';
import type { SqliteConnection } from './sqlite-connection.js';
import type { SqliteDriver } from './sqlite-driver.js';
import type { SqliteNative } from './sqlite-native.js';
import type { SqliteOptions } from './sqlite-options.js';
import { createSqliteProvider, sqliteProvider } from './sqlite-provider.js';

let folder: string;
let files = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dbm-sqlite-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const newFile = () => join(folder, `${files++}.db`);
const live = () => new AbortController().signal;
const open = (options: TestOptions<SqliteOptions>, clock?: Clock) =>
  TestConnection.open(sqliteProvider, options, clock === undefined ? {} : { clock });

/** A connection on a new file with the table `t (k, v)` and a session on it. */
async function withTable(options: TestOptions<SqliteOptions> = {}) {
  const connection = await open({ filepath: newFile(), ...options });
  const session = sessionOn(connection);
  await session.query({ sql: 'CREATE TABLE t (k INTEGER PRIMARY KEY, v)' });
  return { connection, session };
}

function sessionOn({ engine, lanes }: TestConnection<SqliteConnection>): SqlSession {
  if (engine.sql === undefined) throw new Error('no sql capability');
  return engine.sql.session(lanes);
}

function nativeOn({ engine, lanes }: TestConnection<SqliteConnection>): SqliteNative {
  return engine.native?.(lanes) as SqliteNative;
}

async function count(session: SqlSession): Promise<unknown> {
  const { rows } = await session.query({ sql: 'SELECT count(*) AS n FROM t' });
  return rows[0]?.n;
}

const INSERT = { sql: "INSERT INTO t (v) VALUES ('x')" };

describe('lanes', () => {
  it('lets a reader see the old data beside an open write transaction', async () => {
    const { connection, session } = await withTable();
    await using _ = connection;
    const other = sessionOn(connection);
    await session.begin();
    await session.query(INSERT);
    expect(await count(session)).toBe(1);
    expect(await count(other)).toBe(0);
    await session.commit();
    expect(await count(other)).toBe(1);
  });

  it('gives a read transaction one snapshot', async () => {
    const { connection, session } = await withTable();
    await using _ = connection;
    const reader = sessionOn(connection);
    await reader.begin({ readOnly: true });
    expect(await count(reader)).toBe(0);
    await session.query(INSERT);
    expect(await count(reader)).toBe(0);
    await reader.commit();
    expect(await count(reader)).toBe(1);
  });

  it('lends the writer in the order it was asked for', async () => {
    const { connection, session } = await withTable();
    await using _ = connection;
    await session.begin();
    const order: number[] = [];
    const waiting = [1, 2, 3].map(async (number) => {
      const other = sessionOn(connection);
      await other.begin();
      order.push(number);
      await other.commit();
    });
    expect(connection.lanes.write.counts).toMatchObject({ max: 1, inUse: 1, pending: 3 });
    await session.commit();
    await Promise.all(waiting);
    expect(order).toEqual([1, 2, 3]);
  });

  it.each([
    'SELECT 1',
    '  -- a comment; INSERT\n/* another */ select 1',
    'WITH a AS (SELECT 1 AS b) SELECT * FROM a',
    'VALUES (1)',
    'EXPLAIN QUERY PLAN SELECT * FROM t',
  ])('sends %j to a reader', async (sql) => {
    const { connection, session } = await withTable();
    await using _ = connection;
    const before = connection.lanes.write.stats().acquired;
    await session.query({ sql });
    expect(connection.lanes.write.stats().acquired).toBe(before);
  });

  it.each([
    'INSERT INTO t (v) VALUES (1)',
    'WITH a AS (SELECT 1 AS b) INSERT INTO t (v) SELECT b FROM a',
    "INSERT INTO t (v) VALUES ('SELECT') RETURNING k",
    'PRAGMA user_version = 7',
    '/* SELECT */ DELETE FROM t',
  ])('sends %j to the writer', async (sql) => {
    const { connection, session } = await withTable();
    await using _ = connection;
    const before = connection.lanes.write.stats().acquired;
    await session.query({ sql });
    expect(connection.lanes.write.stats().acquired).toBe(before + 1);
  });

  it('finds what only the writer has, such as temporary tables', async () => {
    const { connection, session } = await withTable();
    await using _ = connection;
    await session.query({ sql: 'CREATE TEMP TABLE temporary_t (v)' });
    expect((await session.query({ sql: 'SELECT * FROM temporary_t' })).rows).toEqual([]);
  });

  it('reads on the writer when max_open_conns leaves no reader', async () => {
    const { connection, session } = await withTable({ maxOpenConns: 1 });
    await using _ = connection;
    expect(await count(session)).toBe(0);
    expect(connection.lanes.stats()).toMatchObject({ max: 1, open: 1 });
  });

  it('has no readers without WAL, where they would lock the writer out', async () => {
    const { connection } = await withTable({ journalMode: 'delete' });
    await using _ = connection;
    expect(connection.lanes.read).toBe(connection.lanes.write);
  });

  it('creates the file in WAL although the first statement is a read', async () => {
    const filepath = newFile();
    await using connection = await open({ filepath });
    expect((await sessionOn(connection).query({ sql: 'PRAGMA journal_mode' })).rows).toEqual([{ journal_mode: 'wal' }]);
    await sessionOn(connection).query({ sql: 'SELECT 1' });
    expect(existsSync(filepath)).toBe(true);
  });
});

describe('pragmas', () => {
  it('are set on every handle, the writer and each reader', async () => {
    const { connection } = await withTable({
      busyTimeoutMs: 1_234,
      synchronous: 'full',
      foreignKeys: false,
      cacheSizeKib: 512,
      pragmas: { mmap_size: '65536', temp_store: 'memory' },
    });
    await using _ = connection;
    const native = nativeOn(connection);
    const leases = await Promise.all([
      native.lease(),
      native.lease({ readonly: true }),
      native.lease({ readonly: true }),
    ]);
    for (const { database } of leases) {
      const value = (name: string) => database.pragma(name, { simple: true });
      expect(
        ['busy_timeout', 'journal_mode', 'synchronous', 'foreign_keys', 'cache_size', 'mmap_size', 'temp_store'].map(
          value,
        ),
      ).toEqual([1_234, 'wal', 2, 0, -512, 65_536, 2]);
    }
    expect(leases.map(({ database }) => database.readonly)).toEqual([false, true, true]);
    for (const lease of leases) lease.release();
  });

  it('enforces foreign keys unless told otherwise', async () => {
    const { connection, session } = await withTable();
    await using _ = connection;
    await session.query({ sql: 'CREATE TABLE child (t INTEGER REFERENCES t (k))' });
    await expect(session.query({ sql: 'INSERT INTO child VALUES (99)' })).rejects.toMatchObject({
      code: 'DBM_FOREIGN_KEY_VIOLATION',
      cause: { code: 'SQLITE_CONSTRAINT_FOREIGNKEY' },
    });
  });
});

describe('a database in memory', () => {
  it('is one database for all, and survives ageing, flushes and reconnects', async () => {
    const { connection, session } = await withTable({ filepath: ':memory:', maxIdleConns: 0 });
    await using _ = connection;
    await session.query(INSERT);
    expect(await count(sessionOn(connection))).toBe(1);
    connection.lanes.write.flush('flush');
    await connection.lanes.renew({ signal: live() });
    expect(await count(sessionOn(connection))).toBe(1);
    expect(connection.lanes.stats().created).toBeGreaterThan(2);
  });

  it('leaves a transaction alone while the pool is renewed under it', async () => {
    const { connection, session } = await withTable({ filepath: ':memory:' });
    await using _ = connection;
    await session.begin();
    await session.query(INSERT);
    await connection.lanes.renew({ signal: live() });
    const other = sessionOn(connection);
    let inserted = false;
    const insertion = other.query(INSERT).then(() => {
      inserted = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(inserted).toBe(false);
    expect(await count(session)).toBe(1);
    await session.commit();
    await insertion;
    expect(await count(other)).toBe(2);
  });

  it('rolls back a transaction whose borrower was cut off by a close', async () => {
    const handle = new Database(':memory:');
    const config = testConfig(sqliteProvider, {});
    const engine = await sqliteProvider.adopt?.(handle, config, testContext);
    if (engine === undefined) throw new Error('sqlite can adopt');
    const connection = new TestConnection(engine, config, testContext);
    await sessionOn(connection).begin();
    await connection.close();
    expect(handle.inTransaction).toBe(false);
    handle.close();
  });

  it('is gone once the engine is closed', async () => {
    const config = testConfig(sqliteProvider, { filepath: ':memory:' });
    const engine = await sqliteProvider.open(config, testContext);
    const made = await engine.factory.create({ signal: live(), lost() {} });
    await engine.factory.destroy(made, live());
    expect(made.database.open).toBe(true);
    await engine.close?.();
    expect(made.database.open).toBe(false);
  });
});

describe('the file', () => {
  it('is refused when its folder is missing; the folder is not created', async () => {
    const filepath = join(folder, 'nowhere', 'app.db');
    await using connection = await open({ filepath });
    const error = await sessionOn(connection)
      .query({ sql: 'SELECT 1' })
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'DBM_FILE_NOT_ACCESSIBLE',
      option: 'filepath',
      retryable: false,
      connectionName: 'test',
      message: expect.stringContaining(`the folder ${join(folder, 'nowhere')} does not exist`),
    });
    expect(existsSync(join(folder, 'nowhere'))).toBe(false);
  });

  it('is refused when missing and must_exist is set', async () => {
    const filepath = newFile();
    await using connection = await open({ filepath, mustExist: true });
    await expect(sessionOn(connection).query(INSERT)).rejects.toMatchObject({ code: 'DBM_FILE_NOT_ACCESSIBLE' });
    expect(existsSync(filepath)).toBe(false);
  });

  it('is refused when it is no database, and every handle is closed again', async () => {
    const filepath = newFile();
    writeFileSync(filepath, 'not a database, but long enough to be read as one'.repeat(100));
    const handles: Database.Database[] = [];
    class Watched extends Database {
      constructor(...options: ConstructorParameters<typeof Database>) {
        super(...options);
        handles.push(this);
      }
    }
    const provider = createSqliteProvider(() => Watched as unknown as SqliteDriver);
    await using connection = await TestConnection.open(provider, { filepath });
    await expect(sessionOn(connection).query({ sql: 'SELECT 1' })).rejects.toMatchObject({
      code: 'DBM_FILE_NOT_ACCESSIBLE',
      message: expect.stringContaining('is no SQLite database'),
      cause: { code: 'SQLITE_NOTADB' },
    });
    expect(handles.map((handle) => handle.open)).toEqual([false]);
  });

  it('can be opened for reading only, on as many connections as allowed', async () => {
    const filepath = newFile();
    {
      const { connection, session } = await withTable({ filepath });
      await session.query(INSERT);
      await connection.close();
    }
    await using connection = await open({ filepath, readOnly: true, maxOpenConns: 3 });
    const session = sessionOn(connection);
    expect(await count(session)).toBe(1);
    expect(connection.lanes.counts.max).toBe(3);
    await expect(session.query(INSERT)).rejects.toMatchObject({ code: 'DBM_READ_ONLY' });
    await session.begin();
    expect(await count(session)).toBe(1);
    await session.commit();
  });

  it('that was deleted is not created anew: the probe says so, and so does the next connect', async () => {
    const filepath = newFile();
    const { connection } = await withTable({ filepath });
    await using _ = connection;
    await connection.engine.probe?.(live());
    for (const suffix of ['', '-wal', '-shm']) rmSync(filepath + suffix);
    await expect(connection.engine.probe?.(live())).rejects.toMatchObject({
      code: 'DBM_FILE_NOT_ACCESSIBLE',
      message: expect.stringContaining('deleted or moved'),
    });
    await expect(connection.lanes.renew({ signal: live() })).rejects.toMatchObject({ code: 'DBM_FILE_NOT_ACCESSIBLE' });
    expect(existsSync(filepath)).toBe(false);
  });

  it('that was replaced fails the probe until a reconnect, which moves every lane to the new one', async () => {
    const filepath = newFile();
    const { connection, session } = await withTable({ filepath });
    await using _ = connection;
    expect(await count(session)).toBe(0);
    const replacement = newFile();
    const made = new Database(replacement);
    made.exec('CREATE TABLE t (k INTEGER PRIMARY KEY, v); INSERT INTO t (v) VALUES (1), (2)');
    made.close();
    for (const suffix of ['-wal', '-shm']) rmSync(filepath + suffix);
    renameSync(replacement, filepath);
    await expect(connection.engine.probe?.(live())).rejects.toMatchObject({
      message: expect.stringContaining('replaced by another file'),
    });
    await connection.lanes.renew({ signal: live() });
    await connection.engine.probe?.(live());
    expect(await count(session)).toBe(2);
    await session.query(INSERT);
    expect(await count(session)).toBe(3);
  });

  it('that was replaced is noticed by the next handle opened, and no lane goes on with the old one', async () => {
    const filepath = newFile();
    const { connection, session } = await withTable({ filepath });
    await using _ = connection;
    await session.query(INSERT);
    const replacement = newFile();
    new Database(replacement).exec('CREATE TABLE t (k INTEGER PRIMARY KEY, v)').close();
    for (const suffix of ['-wal', '-shm']) rmSync(filepath + suffix);
    renameSync(replacement, filepath);
    {
      await using _one = await connection.lanes.read.acquire();
    }
    await session.query(INSERT);
    const written = new Database(filepath);
    expect(written.prepare('SELECT count(*) FROM t').pluck().get()).toBe(1);
    written.close();
  });

  it('is not created by a probe', async () => {
    const filepath = newFile();
    await using connection = await open({ filepath });
    await connection.engine.probe?.(live());
    expect(existsSync(filepath)).toBe(false);
    await using strict = await open({ filepath, mustExist: true });
    await expect(strict.engine.probe?.(live())).rejects.toMatchObject({ code: 'DBM_FILE_NOT_ACCESSIBLE' });
  });

  it('is refused where its journal_mode is not to be had', async () => {
    class WithoutWal extends Database {
      override pragma(source: string, options?: Database.PragmaOptions): unknown {
        return source.startsWith('journal_mode') ? 'delete' : super.pragma(source, options);
      }
    }
    const provider = createSqliteProvider(() => WithoutWal as unknown as SqliteDriver);
    await using connection = await TestConnection.open(provider, { filepath: newFile() });
    await expect(sessionOn(connection).query(INSERT)).rejects.toMatchObject({
      code: 'DBM_FILE_NOT_ACCESSIBLE',
      message: expect.stringContaining('journal_mode stays delete'),
    });
  });

  it('takes no slot of the pool to be probed', async () => {
    const { connection, session } = await withTable({ maxOpenConns: 1 });
    await using _ = connection;
    await session.begin();
    await connection.engine.probe?.(live());
    await session.rollback();
    session.release();
  });
});

describe('transactions', () => {
  it('begun in words are pinned, take the write lock at once, and end in words', async () => {
    const { connection, session } = await withTable();
    await using _ = connection;
    await session.query({ sql: 'BEGIN' });
    expect(session.inTransaction).toBe(true);
    // Only an immediate BEGIN holds the lock before the first write.
    const rival = new Database(connection.engine.identity.namespace, { timeout: 0 });
    expect(() => rival.exec('BEGIN IMMEDIATE')).toThrow('locked');
    await session.query(INSERT);
    await session.query({ sql: 'COMMIT' });
    expect(session.inTransaction).toBe(false);
    expect(rival.prepare('SELECT count(*) FROM t').pluck().get()).toBe(1);
    rival.close();
    expect(connection.lanes.counts.inUse).toBe(0);
  });

  it('that SQLite aborted accept ROLLBACK in words, and refuse COMMIT in words', async () => {
    const { connection, session } = await withTable();
    await using _ = connection;
    const conflict = { sql: 'INSERT OR ROLLBACK INTO t (k) VALUES (1)' };
    await session.query(conflict);
    for (const [end, outcome] of [
      ['ROLLBACK', 'fulfilled'],
      ['COMMIT', 'rejected'],
    ] as const) {
      await session.query({ sql: 'BEGIN' });
      await expect(session.query(conflict)).rejects.toMatchObject({ code: 'DBM_UNIQUE_VIOLATION' });
      await expect(session.query(INSERT)).rejects.toMatchObject({ code: 'DBM_TRANSACTION_ABORTED' });
      const [result] = await Promise.allSettled([session.query({ sql: end })]);
      expect(result.status).toBe(outcome);
      expect(session.inTransaction).toBe(false);
    }
    expect(await count(session)).toBe(1);
  });

  it('stay open when COMMIT fails for a deferred constraint', async () => {
    const { connection, session } = await withTable();
    await using _ = connection;
    await session.query({ sql: 'CREATE TABLE child (t REFERENCES t (k) DEFERRABLE INITIALLY DEFERRED)' });
    await session.begin();
    await session.query({ sql: 'INSERT INTO child VALUES (99)' });
    await expect(session.commit()).rejects.toMatchObject({ code: 'DBM_FOREIGN_KEY_VIOLATION' });
    expect(session.inTransaction).toBe(true);
    await session.query({ sql: 'INSERT INTO t (k) VALUES (99)' });
    await session.commit();
  });

  it('that only read leave nothing behind, also when they are ended in words', async () => {
    await using connection = await open({ filepath: ':memory:' });
    const session = sessionOn(connection);
    await session.begin({ readOnly: true });
    await session.commit();
    expect(connection.lanes.stats().dirtyReleases).toBe(0);
    await session.begin({ readOnly: true });
    await session.query({ sql: 'COMMIT' });
    await session.query({ sql: 'CREATE TABLE t (v)' });
  });

  it('give their connection back when the session was released while it waited for one', async () => {
    const { connection, session } = await withTable();
    await using _ = connection;
    await session.begin();
    const other = sessionOn(connection);
    const waiting = [other.query(INSERT), sessionOn(connection).query(INSERT)] as const;
    other.release();
    await session.commit();
    await expect(waiting[0]).rejects.toMatchObject({ code: 'DBM_LEASE_RELEASED' });
    await waiting[1];
    expect(connection.lanes.counts.inUse).toBe(0);
  });

  it('name their last statement, and streams theirs, in leak reports, without values', async () => {
    const { connection, session } = await withTable();
    await using _ = connection;
    await session.begin();
    await session.query({ sql: "INSERT INTO t (v) VALUES ('hunter2')" });
    const rows = sessionOn(connection).stream({ sql: "SELECT v FROM t WHERE v <> 'hunter2' UNION SELECT 1" });
    const reading = rows[Symbol.asyncIterator]();
    await reading.next();
    const reports = [connection.lanes.write, connection.lanes.read].map((pool) => pool.borrows()[0]?.lastStatement);
    expect(reports).toEqual(['INSERT INTO t', 'SELECT v FROM']);
    await reading.return?.();
    session.release();
  });

  it('refuse a second begin, and savepoints outside of them', async () => {
    const { connection, session } = await withTable();
    await using _ = connection;
    await expect(session.savepoint('one')).rejects.toMatchObject({ code: 'DBM_QUERY_FAILED' });
    await session.begin();
    await expect(session.begin()).rejects.toMatchObject({ code: 'DBM_QUERY_FAILED' });
    await session.rollback();
    await session.rollback();
  });

  it('end their streams when the session is released', async () => {
    const { connection, session } = await withTable();
    await using _ = connection;
    await session.begin();
    for (let row = 0; row < 3; row++) await session.query(INSERT);
    const rows = session.stream({ sql: 'SELECT * FROM t' })[Symbol.asyncIterator]();
    await rows.next();
    session.release();
    await expect(rows.next()).rejects.toMatchObject({ code: 'DBM_LEASE_RELEASED' });
    expect(await count(sessionOn(connection))).toBe(0);
  });
});

describe('values', () => {
  it('keeps integers beyond 2^53 exact, in results, RETURNING, streams and lastInsertId', async () => {
    const { connection, session } = await withTable();
    await using _ = connection;
    const big = 9_007_199_254_740_993n;
    const inserted = await session.query({ sql: 'INSERT INTO t (k, v) VALUES (?, 7)', params: [big] });
    expect(inserted.lastInsertId).toBe(big);
    const selection = { sql: 'SELECT k, v FROM t' };
    expect((await session.query(selection)).rows).toEqual([{ k: big, v: 7 }]);
    const update = await session.query({ sql: 'UPDATE t SET v = v + 1 RETURNING k, v' });
    expect(update.rows).toEqual([{ k: big, v: 8 }]);
    for await (const row of session.stream(selection)) expect(row).toEqual({ k: big, v: 8 });
    // Once more on the same prepared statement: its mode must not stick.
    await session.query({ sql: 'UPDATE t SET k = 1' });
    expect((await session.query(selection)).rows).toEqual([{ k: 1, v: 8 }]);
  });

  it('stores booleans, dates, undefined and bytes', async () => {
    await using connection = await open({ filepath: ':memory:' });
    const params = [1, true, new Date(0), undefined, new Uint8Array([1, 2])];
    const { rows } = await sessionOn(connection).query({ sql: 'SELECT ? a, ? b, ? c, ? d, ? e', params });
    expect(rows).toEqual([{ a: 1, b: 1, c: '1970-01-01T00:00:00.000Z', d: null, e: Buffer.from([1, 2]) }]);
  });

  it('refuses what it cannot store, without showing it', async () => {
    await using connection = await open({ filepath: ':memory:' });
    await expect(
      sessionOn(connection).query({ sql: 'SELECT ?, ?', params: [1, { password: 'hunter2' }] }),
    ).rejects.toMatchObject({
      code: 'DBM_INVALID_OPTION',
      option: 'params',
      message: expect.stringMatching(/^(?!.*hunter2).*parameter 2/),
    });
  });
});

describe('streams', () => {
  it('let other work run while they read', async () => {
    const { connection, session } = await withTable();
    await using _ = connection;
    await session.query({
      sql: 'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) INSERT INTO t (v) SELECT i FROM n',
    });
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    let rows = 0;
    for await (const _row of session.stream({ sql: 'SELECT v FROM t' })) rows++;
    clearInterval(timer);
    expect(rows).toBe(200_000);
    expect(turns).toBeGreaterThan(2);
  });

  it('end at query_timeout, counting only the time spent reading', async () => {
    let now = 0;
    const clock: Clock = { now: () => now++, setTimer: testContext.clock.setTimer };
    await using connection = await open({ filepath: ':memory:' }, clock);
    const session = sessionOn(connection);
    const reading = (async () => {
      for await (const _row of session.stream({ sql: 'VALUES (1), (2), (3), (4), (5)' }, { timeoutMs: 3 }))
        now += 1_000;
    })();
    await expect(reading).rejects.toMatchObject({ code: 'DBM_QUERY_TIMEOUT', option: 'query_timeout' });
    expect(now).toBeGreaterThan(2_000);
    session.release();
  });

  it('run a statement without rows', async () => {
    const { connection, session } = await withTable();
    await using _ = connection;
    for await (const _row of session.stream(INSERT)) throw new Error('no row is expected');
    expect(await count(session)).toBe(1);
  });
});

describe('native handle', () => {
  it('commits a transaction, and rolls it back when the work throws', async () => {
    const { connection, session } = await withTable();
    await using _ = connection;
    const native = nativeOn(connection);
    expect(await native.transaction((database) => database.prepare(INSERT.sql).run().changes)).toBe(1);
    await expect(
      native.transaction(async (database) => {
        database.exec(INSERT.sql);
        throw new Error('of the caller');
      }),
    ).rejects.toThrow('of the caller');
    await expect(native.transaction((database) => database.exec('ROLLBACK'))).rejects.toMatchObject({
      code: 'DBM_TRANSACTION_ABORTED',
    });
    expect(await count(session)).toBe(1);
  });

  it('rolls back what a lease left open, and discards one with an open iterator', async () => {
    const { connection, session } = await withTable();
    await using _ = connection;
    const native = nativeOn(connection);
    const dirty = await native.lease();
    dirty.database.exec('BEGIN');
    dirty.database.exec(INSERT.sql);
    dirty.release();
    dirty.release();
    expect(() => dirty.database).toThrow(expect.objectContaining({ code: 'DBM_LEASE_RELEASED' }));
    expect(await count(session)).toBe(0);
    {
      await using reading = await native.lease();
      const rows = reading.database.prepare('VALUES (1), (2)').iterate();
      rows.next();
      reading.release();
      rows.return?.();
    }
    await session.query(INSERT);
    expect(connection.lanes.write.stats().closedBy.error).toBe(1);
  });

  it('tells work that asks its own full pool for more, instead of letting it wait for itself', async () => {
    await using connection = await open({ filepath: ':memory:' });
    const native = nativeOn(connection);
    await expect(native.write(() => native.write(() => 1))).rejects.toMatchObject({ code: 'DBM_POOL_DEADLOCK' });
  });

  it('never closes an adopted handle, whose transactions it rolls back', async () => {
    const handle = new Database(':memory:');
    const config = testConfig(sqliteProvider, {});
    const engine = await sqliteProvider.adopt?.(handle, config, testContext);
    if (engine === undefined) throw new Error('sqlite can adopt');
    const connection = new TestConnection(engine, config, testContext);
    const session = sessionOn(connection);
    await session.begin();
    await session.query({ sql: 'CREATE TABLE t (v)' });
    session.release();
    await connection.lanes.probe(live());
    await connection.close();
    expect(handle.inTransaction).toBe(false);
    expect(handle.open).toBe(true);
    handle.close();
    await expect(engine.probe?.(live())).rejects.toMatchObject({ code: 'DBM_CONNECTION_LOST' });
  });
});

describe('another process', () => {
  it('that holds the write lock is waited for without blocking the event loop', async () => {
    const { connection, session } = await withTable();
    await using _ = connection;
    await using lock = await LockHolder.start(connection.engine.identity.namespace as string);
    let turns = 0;
    const ticker = setInterval(() => {
      if (++turns === 10) lock.release();
    }, 5);
    await session.query(INSERT);
    clearInterval(ticker);
    expect(turns).toBeGreaterThanOrEqual(10);
    expect(await count(session)).toBe(1);
  });

  it('that holds the lock for too long gives a retryable error within busy_timeout', async () => {
    const { connection, session } = await withTable({ busyTimeoutMs: 100 });
    await using _ = connection;
    await using lock = await LockHolder.start(connection.engine.identity.namespace as string);
    const start = performance.now();
    const busy = { code: 'DBM_QUERY_FAILED', retryable: true, option: 'busy_timeout', cause: { code: 'SQLITE_BUSY' } };
    await expect(session.query(INSERT)).rejects.toMatchObject(busy);
    await expect(session.begin()).rejects.toMatchObject(busy);
    expect(performance.now() - start).toBeGreaterThanOrEqual(200);
    await expect(nativeOn(connection).transaction(() => 1)).rejects.toMatchObject(busy);
    lock.release();
    await lock.ended;
    await session.query(INSERT);
  });

  it('is not waited for after the signal aborted or query_timeout passed', async () => {
    const { connection, session } = await withTable();
    await using _ = connection;
    await using _lock = await LockHolder.start(connection.engine.identity.namespace as string);
    const abort = new AbortController();
    const insertion = session.query(INSERT, { signal: abort.signal });
    setTimeout(() => abort.abort(), 20);
    await expect(insertion).rejects.toMatchObject({ code: 'DBM_ABORTED' });
    await expect(session.query(INSERT, { timeoutMs: 30 })).rejects.toMatchObject({ code: 'DBM_QUERY_TIMEOUT' });
    expect(connection.lanes.counts.inUse).toBe(0);
  });

  it('does not keep readers from reading', async () => {
    const { connection, session } = await withTable();
    await using _ = connection;
    await using _lock = await LockHolder.start(connection.engine.identity.namespace as string);
    expect(await count(session)).toBe(0);
  });
});

describe('limits of the disk', () => {
  it('are a typed error that keeps the driver’s', async () => {
    const { connection, session } = await withTable({ pragmas: { max_page_count: '3' } });
    await using _ = connection;
    await expect(session.query({ sql: 'INSERT INTO t (v) VALUES (zeroblob(100000))' })).rejects.toMatchObject({
      code: 'DBM_QUERY_FAILED',
      retryable: false,
      cause: { code: 'SQLITE_FULL' },
      message: expect.stringContaining('full'),
    });
    expect(await count(session)).toBe(0);
  });
});

describe('configuration', () => {
  const problems = (options: TestOptions<SqliteOptions>) =>
    sqliteProvider.check?.(testConfig(sqliteProvider, { filepath: 'a.db', ...options })) ?? [];

  it.each([
    ['a pragma with an option of its own', { journal_mode: 'wal' }, 'use the option journal_mode'],
    ['a pragma that is no name', { 'a; DROP TABLE t': '1' }, 'is no name of a pragma'],
    ['a pragma with a statement in its value', { temp_store: '1; DROP TABLE t' }, 'must be a word'],
  ])('refuses %s', (_, pragmas, message) => {
    const found = problems({ pragmas: pragmas as Record<string, string> });
    expect(found).toEqual([expect.objectContaining({ message: expect.stringContaining(message) })]);
  });

  it('refuses a read-only database in memory', () => {
    expect(problems({ filepath: ':memory:', readOnly: true })).toEqual([
      expect.objectContaining({ path: ['read_only'], rule: 'not-allowed' }),
    ]);
  });

  it('refuses two writers on one file, also by another path to it', () => {
    const filepath = newFile();
    writeFileSync(filepath, '');
    symlinkSync(filepath, `${filepath}.link`);
    const config = (name: string, options: TestOptions<SqliteOptions>) => testConfig(sqliteProvider, options, name);
    const first = config('first', { filepath });
    const check = (...others: ReturnType<typeof config>[]) => sqliteProvider.checkAll?.([first, ...others]);
    expect(check(config('second', { filepath: `${filepath}.link` }))).toEqual([
      expect.objectContaining({
        path: ['connections', 'second', 'filepath'],
        message: expect.stringContaining('first'),
      }),
    ]);
    expect(check(config('reader', { filepath, readOnly: true }), config('other', { filepath: newFile() }))).toEqual([]);
    const memory = { filepath: ':memory:' };
    expect(sqliteProvider.checkAll?.([config('a', memory), config('b', memory)])).toEqual([]);
  });
});

/** A process of its own that holds the write lock of a file until told to let go. */
class LockHolder implements AsyncDisposable {
  readonly ended: Promise<unknown>;
  readonly #process: ChildProcess;
  #told = false;

  private constructor(process: ChildProcess) {
    this.#process = process;
    this.ended = once(process, 'exit');
  }

  static async start(filepath: string): Promise<LockHolder> {
    const script = join(folder, 'lock-holder.cjs');
    const driver = createRequire(import.meta.url).resolve('better-sqlite3');
    writeFileSync(
      script,
      `const database = new (require(${JSON.stringify(driver)}))(process.argv[2]);
       database.exec('BEGIN IMMEDIATE');
       process.on('message', () => { database.exec('COMMIT'); database.close(); process.exit(); });
       process.on('disconnect', () => process.exit());
       process.send('locked');`,
    );
    const child = fork(script, [filepath]);
    const holder = new LockHolder(child);
    await once(child, 'message');
    return holder;
  }

  release(): void {
    if (!this.#told) this.#process.send('release');
    this.#told = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
    await this.ended;
  }
}
