import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BridgeTarget, type ConnectionConfig, type Provider, Secret } from '@dbmanager/core';

import { postgresProvider } from '@dbmanager/provider-postgres';

import { sqliteProvider } from '@dbmanager/provider-sqlite';

import { describeWithPostgres, sharedPostgres, TestConnection, testConfig } from '@dbmanager/testkit';
import * as jest from '@jest/globals';

/** An empty database of a test's own. */
export interface SqlDatabase {
  /** Pools on it; the options are those of every connection. */
  open(options: object): Promise<TestConnection<unknown>>;
  /** The same as a manager takes it. */
  config(options: object): ConnectionConfig;
  drop(): Promise<void>;
}

/** An engine that one suite runs on beside the others. */
export interface SqlTestEngine {
  /** The provider's type. */
  readonly name: string;
  /** `describe`, where the engine is to be had. */
  describe(title: string, define: () => void): void;
  create(): Promise<SqlDatabase>;
  /** A statement that gives 1 … n as the column n, made by the engine. */
  series(n: number): string;
  /** A series of which row 500 fails. */
  readonly failingSeries: string;
  /** The driver's code of a violated unique constraint. */
  readonly uniqueViolation: string;
}

export const SQLITE: SqlTestEngine = {
  name: 'sqlite',
  describe: (title, define) => jest.describe(`${title} on sqlite`, define),
  async create() {
    const folder = await mkdtemp(join(tmpdir(), 'dbmanager-sqlite-'));
    const filepath = join(folder, 'test.db');
    return {
      ...onProvider(sqliteProvider as Provider, { filepath }),
      drop: () => rm(folder, { recursive: true }),
    };
  },
  series: (n) => `with recursive s(n) as (select 1 union all select n + 1 from s where n < ${n}) select n from s`,
  failingSeries:
    'with recursive s(n) as (select 1 union all select n + 1 from s where n < 1000) ' +
    "select case n when 500 then json('{') else n end as n from s",
  uniqueViolation: 'SQLITE_CONSTRAINT_UNIQUE',
};

export const POSTGRES: SqlTestEngine = {
  name: 'postgres',
  describe: (title, define) => describeWithPostgres(`${title} on postgres`, define, jest),
  async create() {
    const server = await sharedPostgres();
    const database = await server.createDatabase();
    const dsn = new Secret(server.url(database));
    return {
      ...onProvider(postgresProvider as Provider, { dsn }),
      drop: () => server.dropDatabase(database),
    };
  },
  series: (n) => `select n from generate_series(1, ${n}) as n`,
  failingSeries: 'select 1 / (500 - n) as n from generate_series(1, 1000) as n',
  uniqueViolation: '23505',
};

/** Every SQL engine there is a provider for. */
export const SQL_ENGINES: readonly SqlTestEngine[] = [SQLITE, POSTGRES];

/** The providers of those. */
export const SQL_PROVIDERS = [sqliteProvider, postgresProvider] as readonly Provider[];

function onProvider(provider: Provider, place: object): Omit<SqlDatabase, 'drop'> {
  return {
    open: (options) => TestConnection.open<unknown, object>(provider, { ...place, ...options }),
    config: (options) => testConfig<unknown, object>(provider, { ...place, ...options }),
  };
}

/** What a bridge is opened on, without a manager. */
export function bridgeTarget({ lanes, engine }: TestConnection<unknown>): BridgeTarget {
  return {
    name: lanes.name,
    type: lanes.config.type,
    engine,
    config: lanes.config,
    closing: new AbortController().signal,
    acquire: (options) => lanes.acquire(options),
    get counts() {
      return lanes.counts;
    },
    holding: (work) => lanes.holding(work),
  };
}

/** Resolves when `condition` holds, looking again at every turn of the event loop. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

/** What `promise` rejects with. */
export async function rejection(promise: PromiseLike<unknown>): Promise<Error & { readonly code?: string }> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('expected a rejection');
}
