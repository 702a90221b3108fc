import assert from 'node:assert/strict';
import { rejection, SuiteCase, type SuiteTable } from './suite-case.js';
import type { ProviderSuiteSetup, SuiteRunner } from './suite-setup.js';

/** Tests of transactions and savepoints. */
export function transactionTests<C, O extends object>(setup: ProviderSuiteSetup<C, O>, { it }: SuiteRunner): void {
  const { capabilities, hooks = {} } = setup;
  const run = (body: (test: SuiteCase<C>, table: SuiteTable<C>) => Promise<void>) =>
    SuiteCase.run(setup, (test) => test.withTable((table) => body(test, table)));

  it('shows others what was committed', async () => {
    await run(async (test, table) => {
      const session = test.session();
      await session.begin();
      assert.equal(session.inTransaction, true);
      await session.query(table.insertion('k1'));
      assert.equal((await session.query(table.selection())).rows.length, 1);
      await session.commit();
      assert.equal(session.inTransaction, false);
      session.release();
      assert.deepEqual(await table.keys(), ['k1']);
    });
  });

  it('undoes what was rolled back', async () => {
    await run(async (test, table) => {
      const session = test.session();
      await session.begin();
      await session.query(table.insertion('k1'));
      await session.rollback();
      assert.equal(session.inTransaction, false);
      session.release();
      assert.deepEqual(await table.keys(), []);
    });
  });

  it('can begin again after a transaction', async () => {
    await run(async (test, table) => {
      const session = test.session();
      for (const key of ['k1', 'k2']) {
        await session.begin({ isolation: 'serializable' });
        await session.query(table.insertion(key));
        await session.commit();
      }
      session.release();
      assert.deepEqual(await table.keys(), ['k1', 'k2']);
    });
  });

  it('rolls back a session that is released in its transaction; the next borrower is in none', async () => {
    await run(async (test, table) => {
      const session = test.session();
      await session.begin();
      await session.query(table.insertion('k1'));
      session.release();
      const next = test.session();
      await next.query(table.insertion('k2'));
      assert.equal(next.inTransaction, false);
      next.release();
      assert.deepEqual(await table.keys(), ['k2']);
    });
  });

  it('cleans a connection that was given back in a transaction', async () => {
    await run(async (test, table) => {
      const session = test.session();
      await session.begin();
      await session.query(table.insertion('k1'));
      session.release();
      await table.keys();
      assert.equal(test.connection.lanes.stats().dirtyReleases, 1);
    });
  });

  it('never reports a transaction as committed that the database has aborted', async () => {
    await run(async (test, table) => {
      const session = test.session();
      await session.begin();
      await session.query(table.insertion('k1'));
      await rejection(
        session.query(setup.abortingStatement?.(table.name) ?? table.insertion('k1')),
        'DBM_QUERY_FAILED',
      );
      await rejection(session.commit(), 'DBM_TRANSACTION_ABORTED');
      assert.equal(session.inTransaction, false);
      session.release();
      assert.deepEqual(await table.keys(), []);
    });
  });

  it('runs nothing outside a transaction that the database has aborted', async () => {
    await run(async (test, table) => {
      const session = test.session();
      await session.begin();
      await session.query(table.insertion('k1'));
      await rejection(session.query(setup.abortingStatement?.(table.name) ?? table.insertion('k1')));
      await rejection(session.query(table.insertion('k2')), 'DBM_QUERY_FAILED', 'DBM_TRANSACTION_ABORTED');
      await session.rollback();
      session.release();
      assert.deepEqual(await table.keys(), []);
    });
  });

  it('refuses writes in a read-only transaction and allows them after it', async () => {
    await run(async (test, table) => {
      const session = test.session();
      await session.begin({ readOnly: true });
      await rejection(session.query(table.insertion('k1')), 'DBM_READ_ONLY');
      await session.rollback();
      await session.query(table.insertion('k2'));
      await session.begin({ readOnly: true });
      await session.query(table.selection());
      await session.commit();
      await session.query(table.insertion('k3'));
      session.release();
      assert.deepEqual(await table.keys(), ['k2', 'k3']);
    });
  });

  it('keeps transactions apart that are run at the same time', async () => {
    await run(async (test, table) => {
      await Promise.all(
        ['k1', 'k2'].map(async (key) => {
          const session = test.session();
          await session.begin();
          await session.query(table.insertion(key));
          await session.commit();
          session.release();
        }),
      );
      assert.deepEqual(await table.keys(), ['k1', 'k2']);
    });
  });

  const { dieInNextCommit } = hooks;
  if (dieInNextCommit !== undefined) {
    it('says that it does not know when the connection dies in COMMIT', async () => {
      await run(async (test, table) => {
        const session = test.session();
        await session.begin();
        await session.query(table.insertion('k1'));
        dieInNextCommit();
        const error = await rejection(session.commit(), 'DBM_COMMIT_UNKNOWN');
        session.release(error);
      });
    });
  }

  if (capabilities.savepoints) {
    it('undoes what followed a savepoint and keeps what came before', async () => {
      await run(async (test, table) => {
        const session = test.session();
        await session.begin();
        await session.query(table.insertion('k1'));
        await session.savepoint('one');
        await session.query(table.insertion('k2'));
        await session.savepoint('two "quoted"');
        await session.query(table.insertion('k3'));
        await session.rollbackTo('two "quoted"');
        await session.releaseSavepoint('two "quoted"');
        await session.rollbackTo('one');
        await session.query(table.insertion('k4'));
        await session.commit();
        session.release();
        assert.deepEqual(await table.keys(), ['k1', 'k4']);
      });
    });

    it('goes on after an error inside a savepoint', async () => {
      await run(async (test, table) => {
        const session = test.session();
        await session.begin();
        await session.query(table.insertion('k1'));
        await session.savepoint('one');
        await rejection(session.query(table.insertion('k1')), 'DBM_QUERY_FAILED');
        await session.rollbackTo('one');
        await session.query(table.insertion('k2'));
        await session.commit();
        session.release();
        assert.deepEqual(await table.keys(), ['k1', 'k2']);
      });
    });
  }
}
