import {
  type BridgeTarget,
  type ConnectionConfig,
  DbManagerError,
  type Engine,
  isDbManagerError,
  NotSqlDatabaseError,
  type SqlSession,
  type StatementResult,
} from '@dbmanager/core';
import { FakeClock } from '@dbmanager/testkit';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { createDatabase, type Database } from './database.js';
import type { Transaction } from './transaction.js';

/** A session that writes down what it is asked and answers from a script. */
class RecordingSession implements SqlSession {
  inTransaction = false;
  readonly #log: string[];
  readonly #answers: Map<string, () => Promise<StatementResult>>;
  #released = false;

  constructor(log: string[], answers: Map<string, () => Promise<StatementResult>>) {
    this.#log = log;
    this.#answers = answers;
  }

  async query({ sql, params }: { sql: string; params?: readonly unknown[] | undefined }, options = {}) {
    const { signal } = options as { signal?: AbortSignal };
    this.#log.push(params === undefined ? sql : `${sql} ${JSON.stringify(params)}`);
    if (signal?.aborted === true) throw new DbManagerError('DBM_ABORTED', 'aborted');
    return this.#answer(sql);
  }

  stream(): AsyncIterable<never> {
    throw new Error('not in this test');
  }

  async begin(): Promise<void> {
    this.#log.push('begin');
    await this.#answer('begin');
    this.inTransaction = true;
  }

  async commit(): Promise<void> {
    this.#log.push('commit');
    await this.#answer('commit');
    this.inTransaction = false;
  }

  async rollback(): Promise<void> {
    this.#log.push('rollback');
    await this.#answer('rollback');
    this.inTransaction = false;
  }

  async savepoint(name: string): Promise<void> {
    this.#log.push(`savepoint ${name}`);
  }

  async rollbackTo(name: string): Promise<void> {
    this.#log.push(`rollback to ${name}`);
    await this.#answer('rollback to');
  }

  async releaseSavepoint(name: string): Promise<void> {
    this.#log.push(`release ${name}`);
  }

  release(error?: unknown): void {
    if (this.#released) return;
    this.#released = true;
    this.#log.push(error === undefined ? 'given back' : `given back: ${(error as Error).message}`);
  }

  #answer(sql: string): Promise<StatementResult> {
    return this.#answers.get(sql)?.() ?? Promise.resolve({ rows: [], rowsAffected: 0, lastInsertId: undefined });
  }
}

let log: string[];
let answers: Map<string, () => Promise<StatementResult>>;
let sessions: RecordingSession[];
let clock: FakeClock;
let holding: number;

function openTarget(placeholders: 'numbered' | 'question-mark' = 'numbered', withSql = true): BridgeTarget {
  const sql = {
    placeholders,
    quoteIdentifier: (name: string) => `"${name}"`,
    session: () => {
      const session = new RecordingSession(log, answers);
      sessions.push(session);
      return session;
    },
  };
  const engine = { ...(withSql ? { sql } : {}), identity: { system: 'test' }, factory: {} } as unknown as Engine;
  return {
    name: 'main',
    type: 'test',
    engine,
    config: {} as ConnectionConfig,
    closing: new AbortController().signal,
    counts: { max: 1, open: 0, idle: 0, inUse: 0, pending: 0 },
    acquire: () => Promise.reject(new Error('the session borrows, not the database')),
    holding: (work) => {
      holding++;
      return work();
    },
  };
}

function openDatabase(placeholders?: 'numbered' | 'question-mark'): Database {
  return createDatabase(openTarget(placeholders), { clock });
}

beforeEach(() => {
  log = [];
  answers = new Map();
  sessions = [];
  clock = new FakeClock();
  holding = 0;
});

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error('expected a rejection');
    },
    (error: unknown) => error,
  );
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await rejection(promise);
  return isDbManagerError(error) ? error.code : `not ours: ${String(error)}`;
}

describe('Database', () => {
  it('gives the rows of a query and the session back', async () => {
    answers.set('select 1 as n', async () => ({ rows: [{ n: 1 }], rowsAffected: 1, lastInsertId: undefined }));
    await expect(openDatabase().query<{ n: number }>('select 1 as n')).resolves.toEqual([{ n: 1 }]);
    expect(log).toEqual(['select 1 as n', 'given back']);
  });

  it('seeds 0: query/queryRow/exec: gives the first row of queryOne, or undefined', async () => {
    answers.set('select 1 as n', async () => ({
      rows: [{ n: 1 }, { n: 2 }],
      rowsAffected: 2,
      lastInsertId: undefined,
    }));
    await expect(openDatabase().queryOne('select 1 as n')).resolves.toEqual({ n: 1 });
    await expect(openDatabase().queryOne('select 2')).resolves.toBeUndefined();
  });

  it('seeds 0: query/queryRow/exec: reports rows affected, the last id and the duration of execute', async () => {
    answers.set('insert', async () => {
      await clock.advance(12);
      return { rows: [], rowsAffected: 3, lastInsertId: 7n };
    });
    await expect(openDatabase().execute('insert')).resolves.toEqual({
      rowsAffected: 3,
      lastInsertId: 7n,
      durationMs: 12,
    });
  });

  it('rewrites placeholders only for an engine that numbers them', async () => {
    await openDatabase('numbered').query('select ?', [1]);
    await openDatabase('question-mark').query('select ?', [1]);
    expect(log.filter((line) => line.startsWith('select'))).toEqual(['select $1 [1]', 'select ? [1]']);
  });

  it('refuses a wrong number of parameters before anything is sent', async () => {
    await expect(codeOf(openDatabase().query('select ?, ?', [1]))).resolves.toBe('DBM_INVALID_OPTION');
    expect(log).toEqual([]);
  });

  it('tells the pool of the error of a statement', async () => {
    answers.set('broken', async () => Promise.reject(new DbManagerError('DBM_QUERY_FAILED', 'no such table')));
    await expect(codeOf(openDatabase().query('broken'))).resolves.toBe('DBM_QUERY_FAILED');
    expect(log).toEqual(['broken', 'given back: no such table']);
  });

  it('is refused on a database that has no SQL', () => {
    expect(() => createDatabase(openTarget('numbered', false))).toThrow(NotSqlDatabaseError);
  });
});

describe('Database.transaction', () => {
  it('commits once and returns what the callback gave', async () => {
    const result = await openDatabase().transaction(async (tx) => {
      await tx.execute('insert ?', [1]);
      return 'done';
    });
    expect(result).toBe('done');
    expect(log).toEqual(['begin', 'insert $1 [1]', 'commit', 'given back']);
  });

  it('runs the callback as holding a connection, and not the begin', async () => {
    await openDatabase().transaction(async () => {
      expect(holding).toBe(1);
      expect(log).toEqual(['begin']);
    });
  });

  it('rolls back on a throw and passes that very error on', async () => {
    const failure = new Error('of the application');
    const error = await rejection(
      openDatabase().transaction(async () => {
        throw failure;
      }),
    );
    expect(error).toBe(failure);
    expect(log).toEqual(['begin', 'rollback', 'given back: of the application']);
  });

  it('passes the original error on when the rollback fails too, and tells the pool of the latter', async () => {
    answers.set('rollback', () => Promise.reject(new Error('socket closed')));
    const failure = new Error('of the application');
    await expect(rejection(openDatabase().transaction(() => Promise.reject(failure)))).resolves.toBe(failure);
    expect(log.at(-1)).toBe('given back: socket closed');
  });

  it('rolls back what a failed commit left open', async () => {
    answers.set('commit', () => Promise.reject(new DbManagerError('DBM_QUERY_FAILED', 'foreign key')));
    await expect(codeOf(openDatabase().transaction(async () => {}))).resolves.toBe('DBM_QUERY_FAILED');
    expect(log).toEqual(['begin', 'commit', 'rollback', 'given back: foreign key']);
  });

  it('refuses its handle after the end', async () => {
    let late: Transaction | undefined;
    await openDatabase().transaction(async (tx) => {
      late = tx;
    });
    await expect(codeOf(late?.query('select 1') ?? Promise.resolve())).resolves.toBe('DBM_LEASE_RELEASED');
    await expect(codeOf(late?.transaction(async () => {}) ?? Promise.resolve())).resolves.toBe('DBM_LEASE_RELEASED');
  });

  it('never goes on, nor commits, after the database rolled back by itself', async () => {
    const aborted = openDatabase().transaction(async (tx) => {
      (sessions[0] as RecordingSession).inTransaction = false;
      await expect(codeOf(tx.query('select 1'))).resolves.toBe('DBM_TRANSACTION_ABORTED');
    });
    await expect(codeOf(aborted)).resolves.toBe('DBM_TRANSACTION_ABORTED');
    expect(log.slice(0, 2)).toEqual(['begin', expect.stringMatching(/^given back: .*rolled the transaction back/)]);
  });

  it('gives the session back when begin fails', async () => {
    answers.set('begin', () => Promise.reject(new DbManagerError('DBM_ACQUIRE_TIMEOUT', 'full')));
    await expect(codeOf(openDatabase().transaction(async () => {}))).resolves.toBe('DBM_ACQUIRE_TIMEOUT');
    expect(log).toEqual(['begin', 'given back: full']);
  });

  it('rolls back at its time limit even when the callback never ends', async () => {
    const begun = Promise.withResolvers<void>();
    const stuck = codeOf(
      openDatabase().transaction({ timeout: 100 }, async () => {
        begun.resolve();
        return new Promise(() => {});
      }),
    );
    await begun.promise;
    await clock.advance(100);
    await expect(stuck).resolves.toBe('DBM_TRANSACTION_TIMEOUT');
    expect(log.slice(0, 2)).toEqual(['begin', 'rollback']);
    expect(clock.pendingTimers).toBe(0);
  });

  it('rolls back when its signal aborts, and refuses what the callback still tries', async () => {
    const controller = new AbortController();
    let late: Promise<string> | undefined;
    const error = await codeOf(
      openDatabase().transaction({ signal: controller.signal }, async (tx) => {
        controller.abort();
        await null;
        await null;
        await new Promise((resolve) => setImmediate(resolve));
        late = codeOf(tx.query('late'));
      }),
    );
    expect(error).toBe('DBM_ABORTED');
    await new Promise((resolve) => setImmediate(resolve));
    await expect(late).resolves.toBe('DBM_LEASE_RELEASED');
    expect(log).not.toContain('late');
  });

  it('leaves no timer when it ends in time', async () => {
    await openDatabase().transaction({ timeout: 100 }, async () => {});
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('Database.begin', () => {
  it('leaves a COMMIT alone that is under way when the time is up', async () => {
    const gate = Promise.withResolvers<StatementResult>();
    const sent = Promise.withResolvers<void>();
    answers.set('commit', () => {
      sent.resolve();
      return gate.promise;
    });
    const tx = await openDatabase().begin({ timeout: 100 });
    const committing = tx.commit();
    await sent.promise;
    await clock.advance(100);
    gate.resolve({ rows: [], rowsAffected: 0, lastInsertId: undefined });
    await committing;
    expect(log).toEqual(['begin', 'commit', 'given back']);
    expect(clock.pendingTimers).toBe(0);
  });

  it('is committed once, however often and from wherever that is asked for', async () => {
    const tx = await openDatabase().begin();
    await Promise.all([tx.commit(), tx.commit()]);
    await expect(codeOf(tx.commit())).resolves.toBe('DBM_LEASE_RELEASED');
    await tx.rollback();
    expect(log).toEqual(['begin', 'commit', 'given back']);
  });

  it('refuses to commit what was rolled back, says so, and does not send it', async () => {
    const tx = await openDatabase().begin();
    await tx.rollback();
    await expect(codeOf(tx.commit())).resolves.toBe('DBM_LEASE_RELEASED');
    expect(log).toEqual(['begin', 'rollback', 'given back']);
  });

  it('is rolled back when that is asked for before COMMIT is sent, and the commit is refused', async () => {
    const tx = await openDatabase().begin();
    const committing = codeOf(tx.commit());
    await tx.rollback();
    await expect(committing).resolves.toBe('DBM_LEASE_RELEASED');
    expect(log).toEqual(['begin', 'rollback', 'given back']);
  });

  it('is rolled back at once when its signal aborts in the moment in which it has been begun', async () => {
    const controller = new AbortController();
    answers.set('begin', async () => {
      controller.abort();
      return { rows: [], rowsAffected: 0, lastInsertId: undefined };
    });
    const tx = await openDatabase().begin({ signal: controller.signal });
    const late = await rejection(tx.query('select 1'));
    expect(late).toMatchObject({ code: 'DBM_LEASE_RELEASED', cause: { code: 'DBM_ABORTED' } });
    await expect(codeOf(tx.commit())).resolves.toBe('DBM_ABORTED');
    expect(log).toEqual(['begin', 'rollback', 'given back']);
  });

  it('leaves nothing behind when it fails', async () => {
    answers.set('begin', () => Promise.reject(new DbManagerError('DBM_ACQUIRE_TIMEOUT', 'full')));
    await expect(codeOf(openDatabase().begin({ timeout: 100 }))).resolves.toBe('DBM_ACQUIRE_TIMEOUT');
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('a nested transaction', () => {
  it('is a savepoint of its own name, released when it succeeds', async () => {
    await openDatabase().transaction(async (tx) => {
      await tx.transaction(async (inner) => {
        await inner.transaction((deepest) => deepest.query('deep'));
      });
      await tx.transaction((inner) => inner.query('second'));
    });
    expect(log).toEqual([
      'begin',
      'savepoint dbm_1',
      'savepoint dbm_2',
      'deep',
      'release dbm_2',
      'release dbm_1',
      'savepoint dbm_3',
      'second',
      'release dbm_3',
      'commit',
      'given back',
    ]);
  });

  it('is rolled back alone, and the outer one goes on', async () => {
    const failure = new Error('inner');
    await openDatabase().transaction(async (tx) => {
      await expect(rejection(tx.transaction(() => Promise.reject(failure)))).resolves.toBe(failure);
      await tx.query('outer');
    });
    expect(log).toEqual([
      'begin',
      'savepoint dbm_1',
      'rollback to dbm_1',
      'release dbm_1',
      'outer',
      'commit',
      'given back',
    ]);
  });

  it('waits for its sibling, and so does a statement of the outer one', async () => {
    await openDatabase().transaction((tx) =>
      Promise.all([
        tx.transaction((inner) => inner.query('a')),
        tx.query('between'),
        tx.transaction((inner) => inner.query('b')),
      ]),
    );
    expect(log).toEqual([
      'begin',
      'savepoint dbm_1',
      'a',
      'release dbm_1',
      'between',
      'savepoint dbm_2',
      'b',
      'release dbm_2',
      'commit',
      'given back',
    ]);
  });

  it('has what outer handles do inside it, which could but wait for it', async () => {
    await openDatabase().transaction(async (tx) => {
      await tx.transaction(async () => {
        await tx.query('by the outer handle');
        await tx.transaction((deeper) => deeper.query('deeper'));
      });
    });
    expect(log.slice(1, -2)).toEqual([
      'savepoint dbm_1',
      'by the outer handle',
      'savepoint dbm_2',
      'deeper',
      'release dbm_2',
      'release dbm_1',
    ]);
  });

  it('refuses its handle after its end', async () => {
    await openDatabase().transaction(async (tx) => {
      const inner = await tx.transaction(async (nested) => nested);
      await expect(codeOf(inner.query('select 1'))).resolves.toBe('DBM_LEASE_RELEASED');
    });
  });

  it('keeps the outer one from committing when it could not be undone', async () => {
    answers.set('rollback to', () => Promise.reject(new Error('lost')));
    const outer = openDatabase().transaction(async (tx) => {
      await rejection(tx.transaction(() => Promise.reject(new Error('inner'))));
    });
    await expect(codeOf(outer)).resolves.toBe('DBM_TRANSACTION_ABORTED');
    expect(log).not.toContain('commit');
  });

  it('that nobody awaits is finished before the commit', async () => {
    await openDatabase().transaction(async (tx) => {
      void tx.transaction((inner) => inner.query('unawaited'));
    });
    expect(log.slice(-4)).toEqual(['unawaited', 'release dbm_1', 'commit', 'given back']);
  });
});
