import { createDatabase } from '@dbmanager/database';
import type { KeyValueOptions, KeyValueStore } from '@dbmanager/provider-kv';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, beforeAll } from '@jest/globals';
import { bridgeTarget, type SqlDatabase, type SqlTestEngine } from '../../../test/support/sql-engines.js';
import type { StoreFixture, StoreHome } from '../../provider-kv/test/kv-fixture.js';
import { KeyValueTable } from '../src/index.js';

/** A table of an engine's database on a wall clock that stands still, and stores in it. */
export class TableFixture implements StoreFixture {
  readonly connection: TestConnection<unknown>;
  readonly #table: KeyValueTable;
  readonly #wall: { ms: number };
  readonly #reopen: () => Promise<TableFixture>;

  private constructor(
    connection: TestConnection<unknown>,
    table: KeyValueTable,
    wall: { ms: number },
    reopen: () => Promise<TableFixture>,
  ) {
    this.connection = connection;
    this.#table = table;
    this.#wall = wall;
    this.#reopen = reopen;
  }

  static async open(
    database: SqlDatabase,
    table: string,
    options: object = {},
    wall = { ms: Date.UTC(2030, 0, 1) },
  ): Promise<TableFixture> {
    const connection = await database.open(options);
    const stores = new KeyValueTable(bridgeTarget(connection), { table, createTable: true, now: () => wall.ms });
    return new TableFixture(connection, stores, wall, () => TableFixture.open(database, table, options, wall));
  }

  store<V = unknown, K = string>(options?: KeyValueOptions<V, K>): KeyValueStore<V, K> {
    return this.#table.store<V, K>(options);
  }

  pass(ms: number): void {
    this.#wall.ms += ms;
  }

  async reopened(): Promise<TableFixture> {
    await this[Symbol.asyncDispose]();
    return this.#reopen();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { inUse } = this.connection.lanes.counts;
    await this.connection.close();
    if (inUse > 0) throw new Error(`${inUse} connections were not given back`);
  }
}

/** Tables of one database of the engine, which is made for the file and dropped at its end. */
export class TableHome implements StoreHome {
  readonly #engine: SqlTestEngine;
  #database: SqlDatabase | undefined;
  #tables = 0;

  constructor(engine: SqlTestEngine) {
    this.#engine = engine;
  }

  get database(): SqlDatabase {
    if (this.#database === undefined) throw new Error('there is a database only while the tests of `describe` run');
    return this.#database;
  }

  /** A name that no table has. */
  newTable(): string {
    return `kv_${++this.#tables}`;
  }

  readonly describe = (title: string, define: () => void): void => {
    this.#engine.describe(title, () => {
      beforeAll(async () => {
        this.#database = await this.#engine.create();
        if (this.#engine.name === 'mssql') await allowSnapshots(this.#database);
      });
      afterAll(() => this.#database?.drop());
      define();
    });
  };

  readonly open = (options: object = {}): Promise<TableFixture> =>
    TableFixture.open(this.database, this.newTable(), options);
}

/** Without it SQL Server has no moments. */
async function allowSnapshots(database: SqlDatabase): Promise<void> {
  await using connection = await database.open({});
  await createDatabase(bridgeTarget(connection)).execute('alter database current set allow_snapshot_isolation on');
}
