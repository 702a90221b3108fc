// CockroachDB: transactions that cannot both be right, of which `retry` repeats the one that the cluster gives up.
import { fileURLToPath } from 'node:url';
import { ConnectionManager } from 'dbmanager';

const mgr = await ConnectionManager.load(fileURLToPath(new URL('./dbmanager.yaml', import.meta.url)));
await mgr.connect();
try {
  const bank = mgr.get('bank');
  const db = bank.database();
  await db.execute('drop table if exists accounts');
  await db.execute('create table accounts (owner text primary key, balance int not null)');
  await db.execute('insert into accounts values (?, 100), (?, 100)', ['Ada', 'Grace']);

  // Each may go below zero as long as both together do not, and both look before either has paid.
  let [attempts, looked] = [0, 0];
  let bothLooked: () => void = () => {};
  const ready = new Promise<void>((resolve) => {
    bothLooked = resolve;
  });
  const pay = (owner: string, amount: number) =>
    bank.transaction({ isolation: 'serializable', retry: 3 }, async (tx) => {
      attempts++;
      const [row] = await tx.query<{ total: string }>('select sum(balance) as total from accounts');
      if (++looked === 2) bothLooked();
      await ready;
      if (Number(row?.total) < amount) return `${owner} may not pay ${amount}`;
      await tx.execute('update accounts set balance = balance - ? where owner = ?', [amount, owner]);
      return `${owner} pays ${amount}`;
    });
  const answers = await Promise.all([pay('Ada', 150), pay('Grace', 150)]);
  console.log('attempts:', attempts);
  console.log(
    'paid, refused:',
    answers
      .map((answer) => answer.includes('pays'))
      .sort()
      .reverse()
      .join(', '),
  );

  const { rows } = await bank.native('cockroachdb').query('select sum(balance)::int as total from accounts');
  console.log('left, by pg:', JSON.stringify(rows));
} finally {
  await mgr.close();
}
