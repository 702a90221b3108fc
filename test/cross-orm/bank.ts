import { Secret } from '@dbmanager/core';
import { type Connection, ConnectionManager } from 'dbmanager';
import type { SqlDatabase, SqlTestEngine } from '../support/sql-engines.js';
import { until } from '../support/sql-engines.js';
import { databaseHands } from './hands/database.js';
import { type EngineName, type Entry, type Hands, TABLES } from './hands.js';
import { engineOf, type OpenParticipant, participantsOn } from './participants.js';

/** Accounts that the tests move money between; their ids are 1 … n. */
export const ACCOUNTS = 6;
/** What each has in the beginning. */
export const OPENING_BALANCE = 1_000;

/** A database with the tables, a manager on it with every ORM open, and somebody outside who looks on. */
export class Bank implements AsyncDisposable {
  readonly database: SqlDatabase;
  readonly engine: SqlTestEngine;
  readonly manager: ConnectionManager;
  readonly connection: Connection;
  /** Every participant, by name. */
  readonly open = new Map<string, OpenParticipant>();
  readonly #outside: ConnectionManager;

  private constructor(
    engine: SqlTestEngine,
    database: SqlDatabase,
    manager: ConnectionManager,
    outside: ConnectionManager,
  ) {
    this.engine = engine;
    this.database = database;
    this.manager = manager;
    this.connection = manager.get('test');
    this.#outside = outside;
  }

  /**
   * @param options of the connection that the ORMs share.
   * @param proxyPort of a proxy on this machine that they go through, where they go by a network; outside does not.
   */
  static async open(engine: SqlTestEngine, options: object = {}, proxyPort?: number): Promise<Bank> {
    const database = await engine.create();
    const outside = managerOf(database, { maxOpenConns: 1 });
    await outside.connect();
    for (const sql of TABLES[engine.name as EngineName]) await outside.get('test').database().execute(sql);
    const detour = proxyPort === undefined ? {} : { dsn: onPort(database, proxyPort) };
    const manager = managerOf(database, { maxOpenConns: 10, acquireTimeoutMs: 10_000, ...options, ...detour });
    await manager.connect();
    const bank = new Bank(engine, database, manager, outside);
    for (const { name, open } of participantsOn(engine)) bank.open.set(name, await open(bank.connection));
    await bank.reset();
    return bank;
  }

  /** What somebody sees who has no part in any transaction, on a connection of another pool. */
  get outside(): Hands {
    const connection = this.#outside.get('test');
    return databaseHands(connection.database(), engineOf(connection));
  }

  /** Sends a statement from outside. */
  async execute(sql: string): Promise<unknown> {
    return this.#outside.get('test').database().execute(sql);
  }

  /** Ids of the server's processes for this database, but for that of outside. */
  async backends(): Promise<readonly unknown[]> {
    const { server } = this.engine;
    if (server === undefined) throw new TypeError('this engine is not a server');
    const rows = await this.#outside.get('test').database().query<{ id: unknown }>(server.others);
    return rows.map(({ id }) => id);
  }

  /** Empties the tables; every account gets its opening balance. */
  async reset(): Promise<void> {
    await this.execute('delete from entries');
    await this.execute('delete from accounts');
    for (let id = 1; id <= ACCOUNTS; id++)
      await this.execute(`insert into accounts values (${id}, ${OPENING_BALANCE})`);
  }

  /** Who has written what others can see, in the order of the ids. */
  async seen(): Promise<readonly string[]> {
    return (await this.outside.entries()).map(({ writer }) => writer);
  }

  /** Balances of all accounts as others see them. */
  async balances(): Promise<readonly number[]> {
    const balances: number[] = [];
    for (let id = 1; id <= ACCOUNTS; id++) balances.push(await this.outside.balance(id));
    return balances;
  }

  /** Resolves when nobody holds a connection or waits for one. */
  async idle(): Promise<void> {
    const { connection } = this;
    await until(() => connection.counts.inUse === 0 && connection.counts.pending === 0);
  }

  /** Closes everything and drops the database. Rejects when a connection was made and not destroyed. */
  async close(): Promise<void> {
    const { connection } = this;
    await this.manager.close();
    await this.#outside.close();
    await this.database.drop();
    const { created, destroyed } = connection.stats().pool;
    if (created !== destroyed) throw new Error(`${created} connections were created, ${destroyed} destroyed`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** An entry with values that are easily spoilt on the way. */
export function entry(id: number, writer: string): Entry {
  return {
    id,
    writer,
    big: 9_007_199_254_740_993n + BigInt(id),
    // In New York an hour that there was twice.
    at: new Date('2024-11-03T05:30:00.789Z'),
    // A midnight before which New York was in another offset.
    day: '2024-03-10',
    json: { text: `O'Brien "quoted" \\ ?`, list: [1, 'two', null, { deep: true }], none: null },
    bytes: Buffer.from([0, 1, 127, 128, 254, 255]),
    tags: ['plain', 'with, comma', '"quoted"', 'back\\slash', '{brace}', ''],
  };
}

/** Bytes as numbers: drivers give buffers of several kinds. */
export function comparable(entries: readonly Entry[]): unknown[] {
  return entries.map((each) => ({ ...each, at: each.at.toISOString(), bytes: [...each.bytes] }));
}

function managerOf(database: SqlDatabase, options: object): ConnectionManager {
  return new ConnectionManager({ defaultConnection: undefined, connections: [database.config(options)] });
}

/** The same database at another port. */
function onPort(database: SqlDatabase, port: number): Secret {
  const { dsn } = database.config({}).options as { readonly dsn?: Secret };
  if (dsn === undefined) throw new TypeError('this database is not reached by a network');
  const url = new URL(dsn.reveal());
  url.port = String(port);
  return new Secret(url.href);
}
