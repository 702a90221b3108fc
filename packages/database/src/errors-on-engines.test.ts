import {
  type ErrorCode,
  isCancelled,
  isCheckViolation,
  isConnectionError,
  isConstraintViolation,
  isDbManagerError,
  isDeadlock,
  isForeignKeyViolation,
  isNotFound,
  isNotNullViolation,
  isPermissionDenied,
  isReadOnly,
  isRetryable,
  isSerializationFailure,
  isSyntaxError,
  isTimeout,
  isUniqueViolation,
} from '@dbmanager/core';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import {
  bridgeTarget,
  COCKROACHDB,
  MARIADB,
  POSTGRES,
  rejection,
  SQLITE,
  type SqlDatabase,
  until,
} from '../../../test/support/sql-engines.js';
import { createDatabase, type Database } from './database.js';
import type { Transaction } from './transaction.js';

const PREDICATES: Readonly<Record<string, (error: unknown) => boolean>> = {
  isCancelled,
  isCheckViolation,
  isConnectionError,
  isDeadlock,
  isForeignKeyViolation,
  isNotFound,
  isNotNullViolation,
  isPermissionDenied,
  isReadOnly,
  isSerializationFailure,
  isSyntaxError,
  isTimeout,
  isUniqueViolation,
};

interface Named {
  readonly constraint?: unknown;
  readonly table?: unknown;
  readonly column?: unknown;
}

/** How each engine is provoked, and what it names. */
interface ErrorEngine {
  readonly engine: typeof SQLITE;
  readonly unique: Named;
  readonly foreignKey: Named;
  readonly notNull: Named;
  readonly check: Named;
  /** Sleeps for a minute; undefined where a running statement cannot be stopped. */
  readonly slow?: string;
  /** Ends the connection that it runs on. */
  readonly suicide?: string;
  /** Asks for what the user of the connection may not do. */
  deny?(tx: Transaction): Promise<unknown>;
  /** What a session says before its transactions notice each other. */
  readonly noticing?: string;
}

const SERVER_OF_POSTGRES = {
  unique: { constraint: 'members_email', table: 'members' },
  foreignKey: { constraint: 'members_team', table: 'members' },
  notNull: { table: 'members', column: 'email' },
  check: { constraint: 'members_age', table: 'members' },
  slow: 'select pg_sleep(60)',
  suicide: 'select pg_terminate_backend(pg_backend_pid())',
  deny: async (tx: Transaction) => {
    await tx.execute('set local role pg_monitor');
    await tx.query('select * from members');
  },
};

const ENGINES: readonly ErrorEngine[] = [
  {
    engine: SQLITE,
    unique: { table: 'members', column: 'email' },
    foreignKey: {},
    notNull: { table: 'members', column: 'email' },
    check: { constraint: 'members_age' },
  },
  { engine: POSTGRES, ...SERVER_OF_POSTGRES },
  { engine: COCKROACHDB, ...SERVER_OF_POSTGRES },
  {
    engine: MARIADB,
    unique: { constraint: 'members_email' },
    foreignKey: { constraint: 'members_team', table: 'members', column: 'team' },
    notNull: { column: 'email' },
    check: { constraint: 'members_age', table: 'members' },
    slow: 'select sleep(60)',
    suicide: 'kill connection_id()',
    deny: (tx) => tx.query('call forbidden()'),
    noticing: 'set innodb_snapshot_isolation = on',
  },
];

for (const { engine, ...its } of ENGINES) {
  engine.describe('errors of statements', () => {
    let files: SqlDatabase;
    let connection: TestConnection<unknown>;
    let db: Database;
    const nobody = `dbm_nobody_${process.pid}`;

    async function open(): Promise<void> {
      connection = await files.open({ maxOpenConns: 4, acquireTimeoutMs: 5_000 });
      db = createDatabase(bridgeTarget(connection));
    }

    /** The error, which has that code and answers to that predicate alone. */
    async function provoked(work: Promise<unknown>, code: ErrorCode, predicate: keyof typeof PREDICATES) {
      const error = await rejection(work);
      expect(error).toMatchObject({ code, connectionName: 'test' });
      const answered = Object.entries(PREDICATES).filter(([, is]) => is(error));
      expect(answered.map(([name]) => name)).toEqual([predicate]);
      expect(answered.every(([, is]) => is(new Error('of an ORM', { cause: error })))).toBe(true);
      return error as Error & Named;
    }

    const insert = (id: number, email: string | null, age = 20, team = 1) =>
      db.execute('insert into members (id, email, age, team) values (?, ?, ?, ?)', [id, email, age, team]);

    beforeAll(async () => {
      files = await engine.create();
      await open();
      await db.execute('create table teams (id integer primary key)');
      await db.execute(`create table members (
        id integer primary key, email varchar(50) not null, age integer not null, team integer not null,
        constraint members_email unique (email), constraint members_age check (age >= 18),
        constraint members_team foreign key (team) references teams (id))`);
      await db.execute('insert into teams (id) values (1)');
      if (engine.name === 'mariadb') {
        await db.execute(`create user ${nobody}@localhost`);
        await db.execute(
          `create definer = ${nobody}@localhost procedure forbidden() sql security definer select * from members`,
        );
      }
      await connection.close();
    }, 60_000);

    afterAll(async () => {
      if (engine.name === 'mariadb') {
        await open();
        await db.execute(`drop user ${nobody}@localhost`);
        await connection.close();
      }
      await files?.drop();
    });

    beforeEach(async () => {
      await open();
      await db.execute('delete from members');
      await insert(1, 'ann@test');
      await insert(2, 'bob@test');
    });

    afterEach(async () => {
      await until(() => connection.lanes.stats().inUse === 0);
      await connection.close();
      const { created, destroyed } = connection.lanes.stats();
      expect(created).toBe(destroyed);
    });

    it('say that a unique constraint was violated, and keep the cause', async () => {
      const error = await provoked(insert(3, 'ann@test'), 'DBM_UNIQUE_VIOLATION', 'isUniqueViolation');
      expect(error).toMatchObject(its.unique);
      expect(error.cause).toMatchObject({ code: expect.stringMatching(engine.uniqueViolation) });
      expect(error.message).not.toContain('ann@test');
      expect(isConstraintViolation(error)).toBe(true);
      expect(isRetryable(error)).toBe(false);
      expect(isDbManagerError(error, 'DBM_QUERY_FAILED')).toBe(true);
    });

    it('say that a primary key was violated as they do of a unique constraint', async () => {
      await provoked(insert(1, 'new@test'), 'DBM_UNIQUE_VIOLATION', 'isUniqueViolation');
    });

    it('say that a foreign key was violated, from either side', async () => {
      const error = await provoked(insert(3, 'c@test', 20, 9), 'DBM_FOREIGN_KEY_VIOLATION', 'isForeignKeyViolation');
      expect(error).toMatchObject(its.foreignKey);
      await provoked(db.execute('delete from teams'), 'DBM_FOREIGN_KEY_VIOLATION', 'isForeignKeyViolation');
    });

    it('say that a value is missing', async () => {
      const error = await provoked(insert(3, null), 'DBM_NOT_NULL_VIOLATION', 'isNotNullViolation');
      expect(error).toMatchObject(its.notNull);
      const without = db.execute('insert into members (id, age, team) values (3, 20, 1)');
      await provoked(without, 'DBM_NOT_NULL_VIOLATION', 'isNotNullViolation');
    });

    it('say that a check does not allow the row', async () => {
      const error = await provoked(insert(3, 'kid@test', 5), 'DBM_CHECK_VIOLATION', 'isCheckViolation');
      expect(error).toMatchObject(its.check);
    });

    it.each([
      ['a misspelt word', 'selekt 1'],
      ['a table that there is not', 'select * from nowhere'],
      ['a column that there is not', 'select nothing from members'],
      ['a function that there is not', 'select no_such_function(1)'],
      ['a table that there is already', 'create table members (id integer)'],
      ['two columns of one name', 'select id from members, teams'],
    ])('say that the statement makes no sense: %s', async (_what, sql) => {
      await provoked(db.query(sql), 'DBM_SYNTAX', 'isSyntaxError');
    });

    it('do not say that of a statement that fails as it runs', async () => {
      const error = await rejection(db.query(engine.failingSeries));
      expect(error).toMatchObject({ code: 'DBM_QUERY_FAILED' });
      expect(isSyntaxError(error)).toBe(false);
    });

    it('say that a row was not found', async () => {
      const missing = db.queryOneOrThrow('select * from members where id = ?', [9]);
      await provoked(missing, 'DBM_NOT_FOUND', 'isNotFound');
      await expect(db.queryOneOrThrow('select id from members where id = ?', [1])).resolves.toEqual({ id: 1 });
    });

    it('say that the transaction is read-only', async () => {
      const writing = db.transaction({ readOnly: true }, (tx) => tx.execute('delete from members'));
      await provoked(writing, 'DBM_READ_ONLY', 'isReadOnly');
    });

    it('say that the caller gave up', async () => {
      const gone = db.query('select 1', [], { signal: AbortSignal.abort() });
      await provoked(gone, 'DBM_ABORTED', 'isCancelled');
    });

    const { slow, suicide, deny } = its;

    if (deny !== undefined) {
      it('say that the user may not do that', async () => {
        await provoked(db.transaction(deny), 'DBM_PERMISSION_DENIED', 'isPermissionDenied');
      });
    }

    if (slow !== undefined) {
      it('say that a statement took too long', async () => {
        await provoked(db.query(slow, [], { timeout: 50 }), 'DBM_QUERY_TIMEOUT', 'isTimeout');
      });
    }

    if (suicide !== undefined) {
      it('say that the connection was lost', async () => {
        await provoked(db.query(suicide), 'DBM_CONNECTION_LOST', 'isConnectionError');
      });

      it('say of a deadlock that the transaction may be repeated', async () => {
        const [a, b] = [await db.begin(), await db.begin()];
        const older = (tx: Transaction, id: number) =>
          tx.execute('update members set age = age + 1 where id = ?', [id]);
        await older(a, 1);
        await older(b, 2);
        const results = await Promise.allSettled([
          older(a, 2).catch((error: unknown) => a.rollback().then(() => Promise.reject(error))),
          older(b, 1).catch((error: unknown) => b.rollback().then(() => Promise.reject(error))),
        ]);
        const failed = results.find((result) => result.status === 'rejected');
        const error = await provoked(Promise.reject(failed?.reason), 'DBM_DEADLOCK', 'isDeadlock');
        expect(isRetryable(error)).toBe(true);
        await a.rollback();
        await b.rollback();
      });

      it('say of a serialization failure that the transaction may be repeated', async () => {
        await using tx = await db.begin({ isolation: 'repeatable read' });
        if (its.noticing !== undefined) await tx.execute(its.noticing);
        await tx.query('select * from members');
        await db.execute('update members set age = 30 where id = 1');
        const late = tx.execute('update members set age = 31 where id = 1');
        const error = await provoked(late, 'DBM_SERIALIZATION_FAILURE', 'isSerializationFailure');
        expect(isRetryable(error)).toBe(true);
      });
    }
  });
}
