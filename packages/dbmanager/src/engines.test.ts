import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConfigInput, type DbManagerError, NotMongoDatabaseError, NotSqlDatabaseError } from '@dbmanager/core';
import { mongodbTransaction } from '@dbmanager/provider-mongodb';
import {
  describeWithCockroachdb,
  describeWithMariadb,
  describeWithMongodb,
  describeWithMssql,
} from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Connection } from './connection.js';
import { ConnectionManager, type ConnectionManagerOptions } from './connection-manager.js';
import type { ConnectionTransaction } from './transaction.js';

const open: ConnectionManager[] = [];
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dbmanager-engines-'));
});

afterEach(async () => {
  for (const mgr of open.splice(0)) {
    await mgr.close();
    for (const { pool } of Object.values(mgr.stats().connections)) expect(pool.created).toBe(pool.destroyed);
  }
});

afterAll(() => rm(folder, { recursive: true }));

/** A connection of these keys, opened. */
async function connect(
  keys: NonNullable<ConfigInput['connections']>[string],
  options?: ConnectionManagerOptions,
): Promise<Connection> {
  const mgr = ConnectionManager.from({ connections: { primary: keys } }, options);
  open.push(mgr);
  await mgr.connect();
  return mgr.get('primary');
}

async function refusal(work: () => unknown): Promise<DbManagerError> {
  try {
    await work();
  } catch (error) {
    return error as DbManagerError;
  }
  throw new Error('was accepted');
}

describe('a connection of type kv', () => {
  const keys = () => ({ type: 'kv', filepath: join(folder, 'kv') });

  it('gives stores by kv(), and the database underneath by native()', async () => {
    const primary = await connect(keys());
    const sessions = primary.kv<{ user: string }>({ namespace: 'sessions' });
    await sessions.set('42', { user: 'ada' });
    expect(await primary.kv<{ user: string }>({ namespace: 'sessions' }).get('42')).toEqual({ user: 'ada' });
    expect(await primary.kv().get('42')).toBeUndefined();
    expect(await primary.native('kv').keys().all()).toHaveLength(1);
  });
});

describe('a connection of no SQL database', () => {
  const KV = () => ({ type: 'kv', filepath: join(folder, 'kv') });
  // Nothing listens there: asking opens nothing.
  const MONGODB = () => ({ type: 'mongodb', host: '127.0.0.1', port: 1, database: 'app', startup: 'lazy' });

  const SQL: Readonly<Record<string, (primary: Connection) => unknown>> = {
    'database()': (primary) => primary.database(),
    'transaction()': (primary) => primary.transaction(async () => undefined),
    'begin()': (primary) => primary.begin(),
    'knex()': (primary) => primary.knex(),
    'kysely()': (primary) => primary.kysely(),
    'drizzle()': (primary) => primary.drizzle(),
    'typeorm()': (primary) => primary.typeorm(),
    'mikroorm()': (primary) => primary.mikroorm(),
  };
  /** These two can drive MongoDB. */
  const { 'typeorm()': _, 'mikroorm()': __, ...sqlOnly } = SQL;

  it.each([
    ...Object.entries(SQL).map(([name, ask]) => ['kv', name, KV, ask] as const),
    ...Object.entries(sqlOnly).map(([name, ask]) => ['mongodb', name, MONGODB, ask] as const),
  ])('refuses, of type %s: %s', async (_type, _name, keys, ask) => {
    const error = await refusal(async () => ask(await connect(keys())));
    expect(error).toBeInstanceOf(NotSqlDatabaseError);
    expect(error).toMatchObject({ code: 'DBM_NOT_SQL', connectionName: 'primary', retryable: false });
  });
});

describe('a connection of another type', () => {
  const SQLITE = { type: 'sqlite', filepath: ':memory:' };

  it('refuses kv()', async () => {
    const primary = await connect(SQLITE);
    const error = await refusal(() => primary.kv());
    expect(error).toMatchObject({ code: 'DBM_UNSUPPORTED', connectionName: 'primary' });
    expect(error.message).toBe('connection "primary": kv() needs a connection of type kv, not sqlite');
  });

  it('refuses mongodb()', async () => {
    const primary = await connect(SQLITE);
    const error = await refusal(() => primary.mongodb());
    expect(error).toBeInstanceOf(NotMongoDatabaseError);
    expect(error).toMatchObject({ code: 'DBM_NOT_MONGODB', connectionName: 'primary', retryable: false });
    expect(await refusal(() => mongodbTransaction(primary, async () => undefined))).toBeInstanceOf(
      NotMongoDatabaseError,
    );
  });
});

/** A server, and how its types of connections tell by which of its backends they are served. */
interface ServerCase<T extends string> {
  readonly types: readonly T[];
  /** Gives the number of the backend as the column `id`. */
  readonly sql: string;
  readonly dsn: (server: TestServer, database: string) => string;
  /** The same, asked of the native handle of the connection, and of that inside a transaction. */
  readonly byNative: (primary: Connection, type: T) => Promise<readonly Backend[]>;
  readonly inTransaction: (tx: ConnectionTransaction, type: T) => Promise<readonly Backend[]>;
}
interface Backend {
  readonly id: unknown;
}
interface TestServer {
  url(database: string): string;
  createDatabase(): Promise<string>;
  dropDatabase(name: string): Promise<void>;
}

function oneBackend<T extends string>(server: () => TestServer, setup: ServerCase<T>): void {
  let database: string;

  beforeAll(async () => {
    database = await server().createDatabase();
  });

  afterAll(() => server().dropDatabase(database));

  it.each(setup.types)('has one backend for every door at max_open_conns: 1, as type %s', async (type) => {
    const primary = await connect({ type, dsn: setup.dsn(server(), database), max_open_conns: 1 });
    const ids = [
      ...(await primary.database().query<{ id: unknown }>(setup.sql)),
      ...(await setup.byNative(primary, type)),
      ...(await primary.transaction((tx) => setup.inTransaction(tx, type))),
      ...(await primary.transaction((tx) => tx.query<{ id: unknown }>(setup.sql))),
    ];
    expect(ids).toHaveLength(4);
    expect(new Set(ids.map(({ id }) => Number(id))).size).toBe(1);
    expect(primary.stats().pool).toMatchObject({ created: 1, inUse: 0 });
  });
}

describeWithCockroachdb('a connection of type cockroachdb', (server) => {
  const sql = 'select pg_backend_pid() as id';
  oneBackend(server, {
    types: ['cockroachdb'],
    sql,
    dsn: (each, database) => each.url(database),
    byNative: async (primary, type) => (await primary.native(type).query(sql)).rows,
    inTransaction: async (tx, type) => (await tx.native(type).query(sql)).rows,
  });
});

describeWithMssql('a connection of type mssql', (server) => {
  const sql = 'select @@spid as id';
  oneBackend(server, {
    types: ['mssql'],
    sql,
    dsn(each, database) {
      const url = new URL(each.url(database));
      url.searchParams.set('trustServerCertificate', 'true');
      return url.href;
    },
    byNative: async (primary, type) => (await primary.native(type).query<Backend>(sql)).recordset,
    inTransaction: async (tx, type) => (await tx.native(type).request().query<Backend>(sql)).recordset,
  });
});

describeWithMariadb('a connection of type mysql or mariadb', (server) => {
  const sql = 'select connection_id() as id';
  oneBackend(server, {
    types: ['mysql', 'mariadb'],
    sql,
    dsn: (each, database) => each.url(database),
    byNative: async (primary, type) => (await primary.native(type).promise().query(sql))[0] as Backend[],
    inTransaction: async (tx, type) => (await tx.native(type).promise().query(sql))[0] as Backend[],
  });

  it('is checked when native() names its type', async () => {
    const primary = await connect({ type: 'mariadb', dsn: server().url('mysql') });
    expect(await refusal(() => primary.native('mysql'))).toMatchObject({ code: 'DBM_UNSUPPORTED' });
  });
});

describeWithMongodb('a connection of type mongodb', (server) => {
  it('gives the client of its one pool by mongodb() and by native()', async () => {
    const database = server().newDatabase();
    const primary = await connect({ type: 'mongodb', dsn: server().url(database) });
    await primary.mongodb().db().collection('t').insertOne({ n: 7 });
    expect(await primary.native('mongodb').db(database).collection('t').findOne()).toMatchObject({ n: 7 });
    expect(primary.mongodb()).toBe(primary.native('mongodb'));
    await server().dropDatabase(database);
  });
});
