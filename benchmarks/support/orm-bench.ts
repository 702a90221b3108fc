import { ConnectionManager } from 'dbmanager';
import { type Hands, TABLES } from '../../test/cross-orm/hands.ts';
import type { OrmEngine, OrmServer } from './orm-engines.ts';

/** Connections of every pool, own or shared. */
export const CONNECTIONS = 10;
/** Callers at once. */
export const CALLERS = 50;
/** Accounts to choose from: enough that callers seldom wait for each other's rows. */
const ACCOUNTS = 10_000;

/** A database with the tables of the ORMs, and a manager with two connections to it: `primary`, and `unmeasured` without metrics. */
export class OrmBench implements AsyncDisposable {
  readonly url: string;
  readonly manager: ConnectionManager;
  readonly #server: OrmServer;
  readonly #database: string;

  private constructor(server: OrmServer, database: string, manager: ConnectionManager) {
    this.#server = server;
    this.#database = database;
    this.manager = manager;
    this.url = server.url(database);
  }

  static async start({ name: type, server: find, analyse }: OrmEngine): Promise<OrmBench> {
    const server = await find();
    const database = await server.createDatabase();
    const accounts = Array.from({ length: ACCOUNTS }, (_, index) => `(${index + 1}, 1000)`);
    const fill = `insert into accounts values ${accounts.join(', ')}`;
    for (const sql of [...TABLES[type], fill, analyse('accounts')]) await server.query(sql, [], database);
    const primary = {
      type,
      dsn: server.url(database),
      max_open_conns: CONNECTIONS,
      max_idle_conns: CONNECTIONS,
    };
    const connections = { primary, unmeasured: { ...primary, enable_metrics: false, startup: 'lazy' } };
    const manager = ConnectionManager.from({ connections });
    await manager.connect();
    return new OrmBench(server, database, manager);
  }

  get connection() {
    return this.manager.get('primary');
  }

  /** The same database by a pool whose statements nobody measures. */
  get unmeasured() {
    return this.manager.get('unmeasured');
  }

  /** Connections that the server has now, of all pools. */
  backends(): Promise<number> {
    return this.#server.connections(this.#database);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.manager.close();
    await this.#server.dropDatabase(this.#database);
  }
}

/** What is done again and again. */
export type Operation = (hands: Hands) => Promise<unknown>;

let next = 0;
/** Every subject gets the same accounts in the same order. */
export const nextAccount = (): number => 1 + (next++ % ACCOUNTS);

/** The operations that ORMs are compared by. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  'select by key': (hands) => hands.balance(nextAccount()),
  'transaction of a select and an update': (hands) =>
    hands.transaction(async (own) => {
      const account = nextAccount();
      await own.balance(account);
      await own.deposit(account, 1);
    }),
};
