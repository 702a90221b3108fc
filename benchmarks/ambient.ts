/**
 * What ambient transactions cost: asking a connection for a handle, with them off, on and inside one; and a transaction of
 * five statements on SQLite in memory, where nothing hides it.
 */
import { type Connection, ConnectionManager } from 'dbmanager';
import { type Comparison, main, type Subject } from './harness.ts';

const HANDLES = 500_000;
const TRANSACTIONS = 1_500;

async function connect(ambientTransactions: boolean): Promise<{ manager: ConnectionManager; connection: Connection }> {
  const manager = ConnectionManager.from(
    { connections: { primary: { type: 'sqlite', filepath: ':memory:' } } },
    { ambientTransactions },
  );
  await manager.connect();
  const connection = manager.get('primary');
  await connection.database().execute('create table items (id integer primary key, name text)');
  return { manager, connection };
}

const off = await connect(false);
const control = await connect(false);
const on = await connect(true);

/** Nanoseconds of one `get('primary').knex()`. */
function askForHandles({ manager }: typeof off): number {
  const startedAt = performance.now();
  for (let asked = 0; asked < HANDLES; asked++) manager.get('primary').knex();
  return ((performance.now() - startedAt) * 1e6) / HANDLES;
}

/** Microseconds of one transaction. */
async function runTransactions({ connection }: typeof off): Promise<number> {
  const startedAt = performance.now();
  for (let done = 0; done < TRANSACTIONS; done++) {
    await connection.transaction(async (tx) => {
      for (let n = 0; n < 5; n++) await tx.query('select ? as n', [n]);
    });
  }
  return ((performance.now() - startedAt) * 1e3) / TRANSACTIONS;
}

const handles: readonly Subject[] = [
  { name: 'off', round: async () => askForHandles(off) },
  { name: 'off, again', round: async () => askForHandles(control) },
  { name: 'on, outside', round: async () => askForHandles(on) },
  { name: 'on, inside', round: () => on.connection.transaction(async () => askForHandles(on)) },
];
const transactions: readonly Subject[] = [
  { name: 'off', round: () => runTransactions(off) },
  { name: 'off, again', round: () => runTransactions(control) },
  { name: 'on', round: () => runTransactions(on) },
];

const comparisons: readonly Comparison[] = [
  { title: "get('primary').knex()", unit: 'ns', better: 'lower', subjects: handles, against: 'off', rounds: 9 },
  {
    title: 'A transaction of five selects',
    unit: 'µs',
    better: 'lower',
    subjects: transactions,
    against: 'off',
    rounds: 9,
  },
];
await main(comparisons);
await Promise.all([off, control, on].map(({ manager }) => manager.close()));
