import { PostgresServer } from '@dbmanager/testkit';
import { ConnectionManager } from 'dbmanager';
import pg from 'pg';
import { type Hands, TABLES } from '../../test/cross-orm/hands.ts';

/** Connections of every pool, own or shared. */
export const CONNECTIONS = 10;
/** Callers at once. */
export const CALLERS = 50;
/** Accounts to choose from: enough that callers seldom wait for each other's rows. */
const ACCOUNTS = 10_000;

/** A server with the tables of the ORMs, and a manager with one connection, `primary`, to it. */
export class OrmBench implements AsyncDisposable {
  readonly url: string;
  readonly manager: ConnectionManager;
  readonly #server: PostgresServer;
  readonly #admin: pg.Client;

  private constructor(server: PostgresServer, admin: pg.Client, manager: ConnectionManager) {
    this.#server = server;
    this.#admin = admin;
    this.manager = manager;
    this.url = server.url();
  }

  static async start(): Promise<OrmBench> {
    const server = await PostgresServer.start();
    const admin = new pg.Client({ connectionString: server.url(), application_name: 'admin' });
    await admin.connect();
    for (const sql of TABLES.postgres) await admin.query(sql);
    await admin.query(`insert into accounts select n, 1000 from generate_series(1, ${ACCOUNTS}) n`);
    await admin.query('vacuum analyze accounts');
    const primary = {
      type: 'postgres',
      dsn: server.url(),
      max_open_conns: CONNECTIONS,
      max_idle_conns: CONNECTIONS,
    };
    const manager = ConnectionManager.from({ connections: { primary } });
    await manager.connect();
    return new OrmBench(server, admin, manager);
  }

  get connection() {
    return this.manager.get('primary');
  }

  /** Backends open now, but for the one that counts. */
  async backends(): Promise<number> {
    const { rows } = await this.#admin.query(
      `select count(*)::int as n from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`,
    );
    return rows[0].n;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.manager.close();
    await this.#admin.end();
    await this.#server.close();
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

/** Operations per second of `callers` at once, taking turns among `workers`. */
export async function throughput(
  workers: readonly (() => Promise<unknown>)[],
  operations: number,
  callers = CALLERS,
): Promise<number> {
  let left = operations;
  const startedAt = performance.now();
  const caller = async (_: unknown, index: number) => {
    const work = workers[index % workers.length] as () => Promise<unknown>;
    while (left-- > 0) await work();
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return operations / ((performance.now() - startedAt) / 1_000);
}
