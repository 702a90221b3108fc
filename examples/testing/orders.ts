// The tests, of node:test here; Jest and Vitest have the same hooks, as globals.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { MockDatabase, type TestManager, testManager, transactionPerTest } from '@dbmanager/testing';
import { ConnectionManager } from 'dbmanager';
import { order } from './shop.ts';

const file = fileURLToPath(new URL('./dbmanager.yaml', import.meta.url));
const schema = `
  create table stock (item text primary key, pieces integer not null);
  create table orders (number integer primary key, item text not null);
  insert into stock values ('lamp', 2);
`;

describe('orders, on SQLite', () => {
  let db: TestManager;
  before(async () => {
    db = await testManager({ fromConfig: file, schema, on: 'sqlite' });
  });
  after(() => db.close());
  const tx = transactionPerTest(() => db.get('shop'), { hooks: { beforeEach, afterEach } });

  it('takes one from the stock', async () => {
    assert.equal(await order(db, 1, 'lamp'), true);
    assert.deepEqual(await tx.current.queryOne('select pieces from stock'), { pieces: 1 });
  });

  it('takes a number once', async () => {
    assert.equal(await order(db, 1, 'lamp'), true);
    assert.equal(await order(db, 1, 'lamp'), false);
    assert.deepEqual(await tx.current.queryOne('select pieces from stock'), { pieces: 1 });
  });
});

describe('orders, on a mock', () => {
  it('passes on that nobody knows whether it was committed', async () => {
    const mock = new MockDatabase({ type: 'postgres', ordered: true });
    const mgr = await ConnectionManager.load(file, { providers: [mock.provider] });
    await mgr.connect();
    mock
      .on(/insert into orders/)
      .with(1, 'lamp')
      .affects(1);
    mock.on(/update stock/).affects(1);
    mock.faults.failCommit();
    await assert.rejects(order(mgr, 1, 'lamp'), { code: 'DBM_COMMIT_UNKNOWN' });
    mock.assertDone();
    await mgr.close();
  });
});
