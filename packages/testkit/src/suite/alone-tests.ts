import assert from 'node:assert/strict';
import { plain, rejection, SuiteCase } from './suite-case.js';
import type { ProviderSuiteSetup, SuiteRunner } from './suite-setup.js';

/** Tests of statements that are run by themselves, each on a connection that it borrows: `SqlEngine.run`. */
export function aloneTests<C, O extends object>(setup: ProviderSuiteSetup<C, O>, { it }: SuiteRunner): void {
  const { capabilities, hooks: { endless } = {} } = setup;
  const run = (body: (test: SuiteCase<C>) => Promise<void>) =>
    SuiteCase.run(setup, async (test) => {
      await body(test);
      assert.equal(test.connection.lanes.counts.inUse, 0, 'the connection is given back');
    });

  it('gives what a session gives', async () => {
    await run(async (test) => {
      await test.withTable(async (table) => {
        assert.equal((await test.alone(table.insertion('k1', 'one'))).rowsAffected, 1);
        assert.deepEqual(plain((await test.alone(table.selection())).rows), [{ k: 'k1', v: 'one' }]);
        const { rows, values } = await test.alone(table.selection(), { byPosition: true });
        assert.deepEqual([rows.length, Array.from(values ?? [], (row) => [...row])], [0, [['k1', 'one']]]);
      });
    });
  });

  it('rejects a bad statement with a typed error, and the next is fine', async () => {
    await run(async (test) => {
      const error = await rejection(test.alone({ sql: 'SELEKT 1' }), 'DBM_QUERY_FAILED');
      assert.equal(error.connectionName, 'suite');
      assert.equal((await test.alone({ sql: 'SELECT 1 AS one' })).rows.length, 1);
    });
  });

  it('is never run when its signal was aborted before', async () => {
    await run(async (test) => {
      await test.withTable(async (table) => {
        await test.alone(table.selection());
        await rejection(test.alone(table.insertion('k1'), { signal: AbortSignal.abort() }), 'DBM_ABORTED');
        assert.deepEqual(await table.keys(), []);
      });
    });
  });

  it('waits its turn where there are more than connections', async () => {
    await SuiteCase.run(
      setup,
      async (test) => {
        const answers = Array.from({ length: 40 }, () => test.alone({ sql: 'SELECT 1 AS one' }));
        for (const { rows } of await Promise.all(answers)) assert.equal(rows.length, 1);
        const { open, inUse } = test.connection.lanes.counts;
        assert.ok(open <= 4, 'never more than max_open_conns');
        assert.equal(inUse, 0);
      },
      { ...setup.connection(), maxOpenConns: 4, maxIdleConns: 2 },
    );
  });

  if (!capabilities.cancel || endless === undefined) return;

  it('is cancelled at its timeout and by its signal, and the pool goes on', async () => {
    await run(async (test) => {
      await endless(async (statement) => {
        await rejection(test.alone(statement, { timeoutMs: 50 }), 'DBM_QUERY_TIMEOUT');
      });
      await endless(async (statement) => {
        const abort = new AbortController();
        const query = test.alone(statement, { signal: abort.signal });
        setImmediate(() => abort.abort());
        await rejection(query, 'DBM_ABORTED');
      });
      assert.equal((await test.alone({ sql: 'SELECT 1 AS one' })).rows.length, 1);
    });
  });
}
