import assert from 'node:assert/strict';
import { types } from 'node:util';
import { plain, rejection, SuiteCase } from './suite-case.js';
import type { ProviderSuiteSetup, SuiteRunner } from './suite-setup.js';

const HOSTILE_TEXT = `O'Brien "quoted" \\ ; -- ? $1 ünï😀 \n end`;

/** Tests of single statements and streams. */
export function statementTests<C, O extends object>(setup: ProviderSuiteSetup<C, O>, { it }: SuiteRunner): void {
  const { capabilities, values = [], hooks = {} } = setup;
  const run = (body: (test: SuiteCase<C>) => Promise<void>) => SuiteCase.run(setup, body);

  it('gives text, the empty text and NULL back as they were', async () => {
    await run(async (test) => {
      await test.withTable(async (table) => {
        for (const [index, text] of [HOSTILE_TEXT, '', null].entries()) {
          await test.session().query(table.insertion(`k${index}`, text));
        }
        const { rows } = await test.session().query(table.selection());
        assert.deepEqual(
          plain(rows).map((row) => row.v),
          [HOSTILE_TEXT, '', null],
        );
      });
    });
  });

  for (const { statement, value } of values) {
    it(`gives ${typeof value} ${String(value)} back as it was`, async () => {
      await run(async (test) => {
        const { rows } = await test.session().query(statement);
        assert.deepEqual(plain(rows), [{ value }]);
      });
    });
  }

  it('counts rows', async () => {
    await run(async (test) => {
      await test.withTable(async (table) => {
        assert.equal((await test.session().query(table.insertion('k1'))).rowsAffected, 1);
        const update = test.statement(`UPDATE ${table.name} SET v = ? WHERE k = ?`, 'new', 'nobody');
        assert.equal((await test.session().query(update)).rowsAffected, 0);
        assert.equal((await test.session().query(table.selection())).rowsAffected, 1);
      });
    });
  });

  it('gives rows by position when asked to', async () => {
    await run(async (test) => {
      await test.withTable(async (table) => {
        const session = test.session();
        await session.query(table.insertion('k1', 'one'));
        const result = await session.query(table.selection(), { byPosition: true });
        assert.equal(result.rows.length, 0);
        // Copied: a native driver may make its arrays in another realm than the test's.
        assert.deepEqual(
          Array.from(result.values ?? [], (row) => [...row]),
          [['k1', 'one']],
        );
        assert.equal((await session.query(table.selection())).values, undefined);
      });
    });
  });

  it('rejects a bad statement with a typed error and goes on', async () => {
    await run(async (test) => {
      const session = test.session();
      const error = await rejection(session.query({ sql: 'SELEKT 1' }), 'DBM_QUERY_FAILED');
      assert.equal(error.connectionName, 'suite');
      assert.ok(types.isNativeError(error.cause), 'the driver’s error is the cause');
      assert.equal(error.retryable, false);
      assert.equal((await session.query({ sql: 'SELECT 1 AS one' })).rows.length, 1);
    });
  });

  it('shows no parameter value in the message of an error', async () => {
    await run(async (test) => {
      await test.withTable(async (table) => {
        await test.session().query(table.insertion('k1'));
        const error = await rejection(test.session().query(table.insertion('k1', 'hunter2')), 'DBM_QUERY_FAILED');
        assert.ok(!error.message.includes('hunter2'));
      });
    });
  });

  it('runs the statements of a session in order', async () => {
    await run(async (test) => {
      await test.withTable(async (table) => {
        const session = test.session();
        const work = [
          session.query(table.insertion('k1')),
          session.query(table.insertion('k2')),
          session.query(table.selection()),
        ];
        const [, , selected] = await Promise.all(work);
        assert.equal(selected?.rows.length, 2);
      });
    });
  });

  it('borrows at the first statement, not before', async () => {
    await run(async (test) => {
      test.session();
      assert.equal(test.connection.lanes.counts.open, 0);
    });
  });

  it('serves many sessions on few connections, each in turn', async () => {
    await SuiteCase.run(
      setup,
      async (test) => {
        const answers = Array.from({ length: 40 }, async () => {
          const session = test.session();
          const { rows } = await session.query({ sql: 'SELECT 1 AS one' });
          assert.ok(test.connection.lanes.counts.open <= 4, 'never more than max_open_conns');
          session.release();
          return rows.length;
        });
        assert.deepEqual(new Set(await Promise.all(answers)), new Set([1]));
        assert.equal(test.connection.lanes.counts.inUse, 0);
      },
      { ...setup.connection(), maxOpenConns: 4, maxIdleConns: 2 },
    );
  });

  it('refuses a session that has been released', async () => {
    await run(async (test) => {
      const session = test.session();
      await session.query({ sql: 'SELECT 1 AS one' });
      session.release();
      session.release();
      await rejection(session.query({ sql: 'SELECT 1 AS one' }), 'DBM_LEASE_RELEASED');
      assert.equal(test.connection.lanes.counts.inUse, 0);
    });
  });

  it('never runs a statement whose signal was aborted before', async () => {
    await run(async (test) => {
      await test.withTable(async (table) => {
        const signal = AbortSignal.abort(new Error('changed my mind'));
        const error = await rejection(test.session().query(table.insertion('k1'), { signal }), 'DBM_ABORTED');
        assert.match(String(error.cause), /changed my mind/);
        assert.deepEqual(await table.keys(), []);
      });
    });
  });

  it('goes on working, and loses nothing, when the connection is renewed', async () => {
    await run(async (test) => {
      await test.withTable(async (table) => {
        const session = test.session();
        await session.query(table.insertion('k1'));
        await test.connection.lanes.renew({ signal: new AbortController().signal });
        assert.deepEqual(await table.keys(), ['k1']);
        assert.equal((await session.query(table.selection())).rows.length, 1);
      });
    });
  });

  const { endless } = hooks;
  if (capabilities.cancel && endless !== undefined) {
    it('cancels a statement at its timeout, and the pool goes on', async () => {
      await run(async (test) => {
        await endless(async (statement) => {
          const error = await rejection(test.session().query(statement, { timeoutMs: 50 }), 'DBM_QUERY_TIMEOUT');
          assert.equal(error.option, 'query_timeout');
        });
        assert.equal((await test.session().query({ sql: 'SELECT 1 AS one' })).rows.length, 1);
      });
    });

    it('cancels a statement when its signal aborts, and the pool goes on', async () => {
      await run(async (test) => {
        await endless(async (statement) => {
          const abort = new AbortController();
          const query = test.session().query(statement, { signal: abort.signal });
          setImmediate(() => abort.abort());
          await rejection(query, 'DBM_ABORTED');
        });
        assert.equal((await test.session().query({ sql: 'SELECT 1 AS one' })).rows.length, 1);
      });
    });
  }

  streamTests(setup, it);
}

function streamTests<C, O extends object>(setup: ProviderSuiteSetup<C, O>, it: SuiteRunner['it']): void {
  /** Runs `body` with a table of 20 rows. */
  const run = (body: (test: SuiteCase<C>, stream: (signal?: AbortSignal) => AsyncIterable<unknown>) => Promise<void>) =>
    SuiteCase.run(setup, async (test) => {
      await test.withTable(async (table) => {
        const writer = test.session();
        for (let row = 10; row < 30; row++) await writer.query(table.insertion(`k${row}`));
        writer.release();
        const session = test.session();
        await body(test, (signal) => session.stream(table.selection(), { signal }));
        // The session itself must have survived the stream.
        assert.equal((await session.query(table.selection())).rows.length, 20);
        session.release();
        assert.equal(test.connection.lanes.counts.inUse, 0, 'nothing is held');
      });
    });

  it('streams rows one by one, in order', async () => {
    await run(async (_, stream) => {
      const keys: unknown[] = [];
      for await (const row of stream()) keys.push((row as { k: unknown }).k);
      assert.deepEqual(
        keys,
        Array.from({ length: 20 }, (_, row) => `k${row + 10}`),
      );
    });
  });

  it('frees what a stream held when its loop ends early', async () => {
    await run(async (_, stream) => {
      let seen = 0;
      for await (const _row of stream()) if (++seen === 3) break;
      assert.equal(seen, 3);
    });
  });

  it('frees what a stream held when its loop throws', async () => {
    await run(async (_, stream) => {
      await assert.rejects(async () => {
        for await (const _row of stream()) throw new Error('of the consumer');
      }, /of the consumer/);
    });
  });

  it('ends a stream when its signal aborts', async () => {
    await run(async (_, stream) => {
      const abort = new AbortController();
      const reading = (async () => {
        for await (const _row of stream(abort.signal)) abort.abort();
      })();
      await rejection(reading, 'DBM_ABORTED');
    });
  });

  it('rejects a bad statement at the first row of its stream', async () => {
    await run(async (test) => {
      const session = test.session();
      const reading = (async () => {
        for await (const _row of session.stream({ sql: 'SELEKT 1' })) assert.fail('no row is expected');
      })();
      await rejection(reading, 'DBM_QUERY_FAILED');
      session.release();
    });
  });
}
