import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DbManagerError, NotMongoDatabaseError, NotSqlDatabaseError } from '@dbmanager/core';
import { mongodbTransaction } from '@dbmanager/provider-mongodb';
import { describeWithCockroachdb, describeWithMariadb, describeWithMongodb } from '@dbmanager/testkit';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Backend, connect, oneBackend } from '../test/one-connection.js';
import type { Connection } from './connection.js';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dbmanager-engines-'));
});

afterAll(() => rm(folder, { recursive: true }));

async function refusal(work: () => unknown): Promise<DbManagerError> {
  try {
    await work();
  } catch (error) {
    return error as DbManagerError;
  }
  throw new Error('was accepted');
}

describe('kv()', () => {
  it.each([
    ['type kv', { type: 'kv', filepath: 'kv' }],
    ['a table of an SQL database', { type: 'sqlite', filepath: 'kv.db', kv_create_table: true }],
    ['a table with a name', { type: 'sqlite', filepath: 'named.db', kv_create_table: true, kv_table: 'sessions' }],
  ])('seeds 3: Key-value: gives stores on %s to the same code', async (_, { filepath, ...keys }) => {
    const primary = await connect({ ...keys, filepath: join(folder, filepath) });
    const sessions = primary.kv<{ user: string }>({ namespace: 'sessions' });
    await sessions.set('42', { user: 'ada' });
    expect(await primary.kv<{ user: string }>({ namespace: 'sessions' }).get('42')).toEqual({ user: 'ada' });
    expect(await primary.kv().get('42')).toBeUndefined();
    if (keys.type === 'kv') expect(await primary.native('kv').keys().all()).toHaveLength(1);
    else {
      const table = 'kv_table' in keys ? keys.kv_table : 'key_values';
      expect(await primary.database().query(`select * from ${table}`)).toHaveLength(1);
    }
  });

  it('is refused on MongoDB, and for a table that has no name', async () => {
    const mongodb = await connect({ type: 'mongodb', host: '127.0.0.1', port: 1, database: 'app', startup: 'lazy' });
    expect(await refusal(() => mongodb.kv())).toMatchObject({ code: 'DBM_UNSUPPORTED', connectionName: 'primary' });
    const sqlite = await connect({ type: 'sqlite', filepath: ':memory:', kv_table: 'a b' });
    expect(await refusal(() => sqlite.kv())).toMatchObject({ code: 'DBM_INVALID_OPTION', option: 'kv_table' });
  });
});

describe('seeds 4: SQL versus MongoDB: a connection of no SQL database', () => {
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

  it('seeds 4: SQL versus MongoDB: refuses mongodb()', async () => {
    const primary = await connect(SQLITE);
    const error = await refusal(() => primary.mongodb());
    expect(error).toBeInstanceOf(NotMongoDatabaseError);
    expect(error).toMatchObject({ code: 'DBM_NOT_MONGODB', connectionName: 'primary', retryable: false });
    expect(await refusal(() => mongodbTransaction(primary, async () => undefined))).toBeInstanceOf(
      NotMongoDatabaseError,
    );
  });
});

describeWithCockroachdb('a connection of type cockroachdb', (server) => {
  const sql = 'select pg_backend_pid() as id';
  oneBackend(server, {
    types: ['cockroachdb'],
    sql,
    byNative: async (primary, type) => (await primary.native(type).query(sql)).rows,
    inTransaction: async (tx, type) => (await tx.native(type).query(sql)).rows,
  });
});

describeWithMariadb('a connection of type mysql or mariadb', (server) => {
  const sql = 'select connection_id() as id';
  oneBackend(server, {
    types: ['mysql', 'mariadb'],
    sql,
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
