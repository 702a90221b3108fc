import { DbManagerError, silentLogger } from '@dbmanager/core';
import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { type Connection, ConnectionManager, type ConnectionManagerOptions } from 'dbmanager';
import { SpanRecorder } from '../support/span-recorder.js';
import { MARIADB, MSSQL, PGBOUNCER, POSTGRES, rejection, SQLITE } from '../support/sql-engines.js';
import { Bank } from './bank.js';
import type { Hands } from './hands.js';
import { participantsOn } from './participants.js';

const BALANCE = 'select balance from accounts where id = 1';

const names = (spans: readonly ReadableSpan[]) => spans.map(({ name }) => name);

for (const engine of [SQLITE, POSTGRES, PGBOUNCER, MARIADB, MSSQL]) {
  const DOORS = participantsOn(engine).map(({ name }) => name);

  engine.describe('Queries through every door, observed', () => {
    let recorder: SpanRecorder;
    let bank: Bank;

    const through = (door: string) => bank.open.get(door)?.hands as Hands;
    const counted = (operation: string, { connection }: { connection: Connection } = bank) => {
      const series = connection.stats().statements?.series.filter((each) => each.operation === operation) ?? [];
      return series.reduce((sum, { duration }) => sum + duration.count, 0);
    };

    /** Another manager on the same database. */
    async function withConnection(
      options: object,
      work: (connection: Connection) => Promise<void>,
      settings: ConnectionManagerOptions = {},
    ): Promise<void> {
      const config = bank.database.config(options);
      const manager = new ConnectionManager({ defaultConnection: undefined, connections: [config] }, settings);
      await manager.connect();
      const connection = manager.get('test');
      await work(connection);
      await manager.close();
      const { created, destroyed } = connection.stats().pool;
      expect(created).toBe(destroyed);
    }

    beforeAll(async () => {
      recorder = new SpanRecorder();
      bank = await Bank.open(engine, { enableTracing: true });
      // What an ORM asks once it asks now.
      for (const door of DOORS) await through(door).balance(1);
    }, 60_000);

    afterAll(async () => {
      await bank?.close();
      await recorder?.shutdown();
    });

    afterEach(async () => {
      await bank.idle();
    });

    it.each(DOORS)('seeds 4: Tracing: a query through %s is one span in the trace of its caller', async (door) => {
      const before = counted('SELECT');
      const [span, ...others] = await recorder.during(() => through(door).balance(1));
      expect(others).toEqual([]);
      expect(span?.name).toBe('SELECT accounts');
      expect(span?.kind).toBe(SpanKind.CLIENT);
      expect(span?.attributes).toMatchObject({
        'db.system.name': bank.connection.engine.identity.system,
        'db.client.connection.pool.name': 'test',
        'db.operation.name': 'SELECT',
        'db.collection.name': 'accounts',
        'db.response.returned_rows': 1,
      });
      expect(counted('SELECT')).toBe(before + 1);
    });

    it.each(DOORS)('a transaction of %s shows what it sends, and nothing that we do for it', async (door) => {
      const spans = await recorder.during(() =>
        through(door).transaction(async (hands) => {
          await hands.balance(1);
          await hands.balance(2);
        }),
      );
      const operations = names(spans).map((name) => name.replace(/^(?:START|BEGIN).*/, 'BEGIN'));
      expect(operations.filter((name) => name !== 'TRANSACTION')).toEqual([
        'BEGIN',
        'SELECT accounts',
        'SELECT accounts',
        'COMMIT',
      ]);
    });

    it.each(DOORS)('a statement that fails through %s is a span with its code and without its values', async (door) => {
      const sql = "select nothing as value from nowhere where secret = 's3cret'";
      const [span, ...others] = await recorder.during(() => rejection(through(door).value(sql)));
      expect(others).toEqual([]);
      expect(span?.status).toEqual({ code: SpanStatusCode.ERROR });
      expect(span?.attributes['db.response.status_code']).toMatch(/\w/);
      expect(span?.attributes['error.type']).toBe(span?.attributes['db.response.status_code']);
      expect(span?.attributes['db.query.text']).toBe('select nothing as value from nowhere where secret = ?');
      expect(span?.events).toEqual([]);
    });

    it('seeds 4: Tracing: none when it is off', async () => {
      await withConnection({ enableTracing: false }, async (connection) => {
        await expect(recorder.during(() => connection.database().query(BALANCE))).resolves.toEqual([]);
        expect(counted('SELECT', { connection })).toBe(1);
      });
    });

    it('nothing is kept when metrics, tracing and the log are off', async () => {
      await withConnection({ enableMetrics: false }, async (connection) => {
        await expect(recorder.during(() => connection.database().query(BALANCE))).resolves.toEqual([]);
        expect(connection.stats().statements).toBeUndefined();
        expect(connection.slowestStatements()).toEqual([]);
      });
    });

    it('health checks, reconnects and cleaning up after a borrower are no queries', async () => {
      const spans = await recorder.during(async () => {
        await bank.connection.healthCheck();
        const session = bank.connection.engine.sql?.session(bank.connection);
        await session?.begin();
        session?.release();
        await bank.idle();
        await bank.connection.reconnect();
      });
      expect(names(spans)).toEqual([expect.stringMatching(/^BEGIN|^START/)]);
    });

    it('the limit that a call has of its own is set without being a query', async () => {
      const db = bank.connection.database();
      const spans = await recorder.during(() => db.query(BALANCE, [], { timeout: 60_000 }));
      expect(names(spans)).toEqual(['SELECT accounts']);
    });

    it('all attempts at a transaction are in one span', async () => {
      let attempts = 0;
      const spans = await recorder.during(() =>
        bank.connection.transaction({ retry: { attempts: 2, baseMs: 0 } }, async (tx) => {
          await tx.query(BALANCE);
          if (++attempts < 3) throw new DbManagerError('DBM_SERIALIZATION_FAILURE', 'it lost');
        }),
      );
      const whole = spans.at(-1);
      const parts = spans.slice(0, -1);
      expect(whole?.name).toBe('TRANSACTION');
      expect(whole?.status.code).toBe(SpanStatusCode.UNSET);
      expect(names(parts).filter((name) => name === 'SELECT accounts')).toHaveLength(3);
      expect(new Set(parts.map(({ parentSpanContext }) => parentSpanContext?.spanId))).toEqual(
        new Set([whole?.spanContext().spanId]),
      );
    });

    it('a transaction without options is in one span, too', async () => {
      const spans = await recorder.during(() => bank.connection.transaction((tx) => tx.query(BALANCE)));
      expect(names(spans).at(-1)).toBe('TRANSACTION');
      expect(names(spans)).toContain('SELECT accounts');
    });

    it('a logger that throws becomes the outcome of no statement, and of no COMMIT', async () => {
      const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
      const warn = () => {
        throw new Error('a logger that throws');
      };
      try {
        await withConnection(
          { slowQueryThresholdMs: 1e-6 },
          async (connection) => {
            const twice = 'update accounts set balance = balance where id = 1';
            await expect(connection.database().execute(twice)).resolves.toMatchObject({ rowsAffected: 1 });
            await expect(connection.transaction((tx) => tx.query(BALANCE))).resolves.toHaveLength(1);
            await expect(rejection(connection.database().query('select nothing'))).resolves.toBeInstanceOf(
              DbManagerError,
            );
          },
          { logger: { ...silentLogger, warn } },
        );
      } finally {
        warned.mockRestore();
      }
    });

    it('a text with its values beside it is shown as it is', async () => {
      const sql = 'select balance from accounts where id = ? and balance <> 42';
      const [span] = await recorder.during(() => bank.connection.database().query(sql, [1]));
      expect(span?.attributes['db.query.text']).toMatch(/where id = (?:\?|\$1|@p1) and balance <> 42$/);
    });

    it('a stream is one query, also when it is left early', async () => {
      const db = bank.connection.database();
      const spans = await recorder.during(async () => {
        for await (const _ of db.stream(engine.series(1_000))) break;
        for await (const _ of db.stream(engine.series(300)));
      });
      expect(spans).toHaveLength(2);
      expect(spans[0]?.attributes['db.operation.name']).toBe('SELECT');
      expect(spans[1]?.attributes['db.response.returned_rows']).toBe(300);
    });

    it('the statements that took most time are told without their values', async () => {
      await withConnection({}, async (connection) => {
        const db = connection.database();
        for (const id of [1, 2, 3]) await db.query(`select balance from accounts where id = ${id}`);
        expect(connection.slowestStatements()).toEqual([
          {
            text: 'select balance from accounts where id = ?',
            operation: 'SELECT',
            collection: 'accounts',
            count: 3,
            errors: 0,
            totalMs: expect.any(Number),
            maxMs: expect.any(Number),
          },
        ]);
      });
    });
  });
}
