import type { ConfigInput } from '@dbmanager/core';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import type { Connection } from '../src/connection.js';
import { ConnectionManager } from '../src/connection-manager.js';
import type { ConnectionTransaction } from '../src/transaction.js';

const open: ConnectionManager[] = [];

afterEach(async () => {
  for (const mgr of open.splice(0)) {
    await mgr.close();
    for (const { pool } of Object.values(mgr.stats().connections)) expect(pool.created).toBe(pool.destroyed);
  }
});

/** A connection of these keys, opened; closed after the test. */
export async function connect(keys: NonNullable<ConfigInput['connections']>[string]): Promise<Connection> {
  const mgr = ConnectionManager.from({ connections: { primary: keys } });
  open.push(mgr);
  await mgr.connect();
  return mgr.get('primary');
}

/** A backend of a server, by its number. */
export interface Backend {
  readonly id: unknown;
}

/** A server of tests. */
export interface TestServer {
  url(database: string): string;
  createDatabase(): Promise<string>;
  dropDatabase(name: string): Promise<void>;
}

/** How connections to a server tell by which of its backends they are served. */
export interface ServerCase<T extends string> {
  readonly types: readonly T[];
  /** Gives the number of the backend as the column `id`. */
  readonly sql: string;
  /** The DSN of a database, from the server's own URL. */
  readonly dsn?: (url: string) => string;
  /** The same, asked of the native handle of the connection, and of that inside a transaction. */
  readonly byNative: (primary: Connection, type: T) => Promise<readonly Backend[]>;
  readonly inTransaction: (tx: ConnectionTransaction, type: T) => Promise<readonly Backend[]>;
}

/** Registers the test that one pool serves every door. Call it in the `describe` of the server. */
export function oneBackend<T extends string>(server: () => TestServer, setup: ServerCase<T>): void {
  const { types, sql, dsn = (url) => url, byNative, inTransaction } = setup;
  let database: string;

  beforeAll(async () => {
    database = await server().createDatabase();
  });

  afterAll(() => server().dropDatabase(database));

  it.each(types)('has one backend for every door at max_open_conns: 1, as type %s', async (type) => {
    const primary = await connect({ type, dsn: dsn(server().url(database)), max_open_conns: 1 });
    const ids = [
      ...(await primary.database().query<{ id: unknown }>(sql)),
      ...(await byNative(primary, type)),
      ...(await primary.transaction((tx) => inTransaction(tx, type))),
      ...(await primary.transaction((tx) => tx.query<{ id: unknown }>(sql))),
    ];
    expect(ids).toHaveLength(4);
    expect(new Set(ids.map(({ id }) => Number(id))).size).toBe(1);
    expect(primary.stats().pool).toMatchObject({ created: 1, inUse: 0 });
  });
}
