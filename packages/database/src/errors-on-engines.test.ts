import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ErrorCode,
  type IsolationLevel,
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
import { sqliteProvider } from '@dbmanager/provider-sqlite';
import { MSSQL_DEADLOCK, sharedMssql, TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  bridgeTarget,
  COCKROACHDB,
  codeOf,
  MARIADB,
  MSSQL,
  PGBOUNCER,
  POSTGRES,
  rejection,
  SQLITE,
  type SqlDatabase,
  type SqlTestEngine,
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
  readonly engine: SqlTestEngine;
  readonly unique: Named;
  readonly foreignKey: Named;
  readonly notNull: Named;
  readonly check: Named;
  /** Takes longer than it may. */
  slow(db: Database): Promise<unknown>;
  /** Loses the connection of a statement that is under way, or has none to begin with. */
  lose(db: Database, connection: TestConnection<unknown>): Promise<unknown>;
  /** Of a connection that was not to be had. Left out: it is lost. */
  readonly connectionCode?: ErrorCode;
  /** Asks for what the user of the connection may not do. Left out: there are no users. */
  deny?(tx: Transaction): Promise<unknown>;
  /** Has two transactions wait for each other. Left out: one writes at a time. */
  deadlock?(db: Database): Promise<unknown>;
  /** Writes over what another has changed since it was read. Left out: one writes at a time. */
  conflict?(db: Database): Promise<unknown>;
}

const older = (tx: Transaction, id: number) => tx.execute('update members set age = age + 1 where id = ?', [id]);

/** The victim's transaction ends, so that the other can go on. */
async function deadlock(db: Database): Promise<void> {
  const [a, b] = [await db.begin(), await db.begin()];
  await older(a, 1);
  await older(b, 2);
  const across = async (tx: Transaction, id: number) => {
    try {
      await older(tx, id);
    } finally {
      await tx.rollback();
    }
  };
  const results = await Promise.allSettled([across(a, 2), across(b, 1)]);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

const conflict =
  (isolation: IsolationLevel, noticing?: string) =>
  async (db: Database): Promise<void> => {
    await using tx = await db.begin({ isolation });
    if (noticing !== undefined) await tx.execute(noticing);
    await tx.query('select * from members');
    await db.execute('update members set age = 30 where id = 1');
    await older(tx, 1);
  };

/** How a server is provoked by a statement that sleeps for a minute. */
const sleeping = ({ server }: SqlTestEngine, sleep: string): Pick<ErrorEngine, 'slow' | 'lose'> => ({
  slow: (db) => db.query(sleep, [], { timeout: 50 }),
  async lose(db, connection) {
    const lost = db.query(sleep);
    lost.catch(() => {}); // it may be, before the statement that kills it has ended
    await until(() => connection.lanes.stats().inUse === 1);
    const { others = '', kill = () => '' } = server ?? {};
    for (const { id } of await db.query<{ id: unknown }>(others)) await db.query(kill(id));
    return lost;
  },
});

const OF_POSTGRES = {
  unique: { constraint: 'members_email', table: 'members' },
  foreignKey: { constraint: 'members_team', table: 'members' },
  notNull: { table: 'members', column: 'email' },
  check: { constraint: 'members_age', table: 'members' },
  ...sleeping(POSTGRES, 'select pg_sleep(60)'),
  deny: async (tx: Transaction) => {
    await tx.execute('set local role pg_monitor');
    await tx.query('select * from members');
  },
  deadlock,
  conflict: conflict('repeatable read'),
};

const ENGINES: readonly ErrorEngine[] = [
  {
    engine: SQLITE,
    unique: { table: 'members', column: 'email' },
    foreignKey: {},
    notNull: { table: 'members', column: 'email' },
    check: { constraint: 'members_age' },
    // Nothing stops its statements but between two rows.
    async slow(db) {
      for await (const _row of db.stream(SQLITE.series(1_000), [], { timeout: 0.001 }));
    },
    connectionCode: 'DBM_FILE_NOT_ACCESSIBLE',
    async lose() {
      const filepath = join(tmpdir(), 'dbmanager-no-such-folder', 'app.db');
      await using nowhere = await TestConnection.open(sqliteProvider, { filepath });
      await createDatabase(bridgeTarget(nowhere as TestConnection<unknown>)).query('select 1');
    },
  },
  { engine: POSTGRES, ...OF_POSTGRES },
  { engine: COCKROACHDB, ...OF_POSTGRES },
  { engine: PGBOUNCER, ...OF_POSTGRES },
  {
    engine: MARIADB,
    unique: { constraint: 'members_email' },
    foreignKey: { constraint: 'members_team', table: 'members', column: 'team' },
    notNull: { column: 'email' },
    check: { constraint: 'members_age', table: 'members' },
    ...sleeping(MARIADB, 'select sleep(60)'),
    deny: (tx) => tx.query('call forbidden()'),
    deadlock,
    conflict: conflict('repeatable read', 'set innodb_snapshot_isolation = on'),
  },
  {
    engine: MSSQL,
    unique: { constraint: 'members_email', table: 'members' },
    // The server names the table referred to, the stand-in the other one.
    foreignKey: { constraint: 'members_team' },
    notNull: { table: 'members', column: 'email' },
    check: { constraint: 'members_age', table: 'members' },
    ...sleeping(MSSQL, "waitfor delay '00:01:00'"),
    async deny(tx) {
      // The stand-in has no users.
      const { kind } = await sharedMssql();
      const asNobody = "create user nobody without login; execute as user = 'nobody'; select * from members";
      await tx.execute(kind === 'real' ? asNobody : 'exec stand_in_error 229, 14');
    },
    deadlock: (db) => db.transaction((tx) => tx.execute(MSSQL_DEADLOCK)),
    conflict: conflict('snapshot'),
  },
];

for (const { engine, ...its } of ENGINES) {
  const describeErrors = (define: () => void) =>
    engine.describe('seeds 1: Errors', () => describe('seeds 3: Error predicates', define));

  describeErrors(() => {
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
      expect(codeOf(error.cause as { code?: unknown })).toMatch(engine.uniqueViolation);
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

    it('say that a statement took too long', async () => {
      await provoked(its.slow(db), 'DBM_QUERY_TIMEOUT', 'isTimeout');
    });

    it('say that the connection was lost, or not to be had', async () => {
      const { lose, connectionCode = 'DBM_CONNECTION_LOST' } = its;
      await provoked(lose(db, connection), connectionCode, 'isConnectionError');
    });

    const { deny, deadlock: wait, conflict: overwrite } = its;

    if (deny !== undefined) {
      it('say that the user may not do that', async () => {
        await provoked(db.transaction(deny), 'DBM_PERMISSION_DENIED', 'isPermissionDenied');
      });
    }

    if (wait !== undefined) {
      it('say of a deadlock that the transaction may be repeated', async () => {
        const error = await provoked(wait(db), 'DBM_DEADLOCK', 'isDeadlock');
        expect(isRetryable(error)).toBe(true);
      });
    }

    if (overwrite !== undefined) {
      it('say of a serialization failure that the transaction may be repeated', async () => {
        const error = await provoked(overwrite(db), 'DBM_SERIALIZATION_FAILURE', 'isSerializationFailure');
        expect(isRetryable(error)).toBe(true);
      });
    }
  });
}
