import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import type { Connection as TediousConnection } from 'tedious';
import { SpanRecorder } from '../support/span-recorder.js';
import { MARIADB, MSSQL, PGBOUNCER, POSTGRES, type SqlTestEngine } from '../support/sql-engines.js';
import { Bank, OPENING_BALANCE } from './bank.js';
import type { Hands } from './hands.js';
import { participantsOn } from './participants.js';

/** A statement that gives, as `value`, the text that the server was sent for it. */
const OWN_TEXT: Readonly<Record<string, string>> = {
  postgres: 'select query as value from pg_stat_activity where pid = pg_backend_pid()',
  mariadb: 'select info as value from information_schema.processlist where id = connection_id()',
};
const DRIVERS: Readonly<Record<string, string>> = { postgres: 'pg', mariadb: 'mysql2', mssql: 'tedious' };

/** Defines a suite on a bank whose connection comments on what it sends. */
function describeComments(engine: SqlTestEngine, define: (context: Context) => void): void {
  const doors = participantsOn(engine).map(({ name }) => name);
  engine.describe('Comments on statements', () => {
    let recorder: SpanRecorder;
    let bank: Bank;

    beforeAll(async () => {
      recorder = new SpanRecorder();
      bank = await Bank.open(engine, { enableTracing: true, sqlComments: true, maxOpenConns: 1 });
      // What an ORM asks once it asks now.
      for (const door of doors) await bank.open.get(door)?.hands.balance(1);
    }, 60_000);

    afterAll(async () => {
      await bank?.close();
      await recorder?.shutdown();
    });

    afterEach(async () => {
      await bank.idle();
      await bank.reset();
    });

    define({
      doors,
      bank: () => bank,
      through: (door) => bank.open.get(door)?.hands as Hands,
      comment: `application='dbmanager%3Atest',db_driver='${DRIVERS[engine.name]}'`,
      traced: async (work) => {
        let result: unknown;
        const [span] = await recorder.during(async () => {
          result = await work();
        });
        const { traceId, spanId } = span?.spanContext() ?? {};
        return { result, traceparent: `traceparent='00-${traceId}-${spanId}-01'` };
      },
    });

    it.each(doors)('a transaction of %s runs as without them', async (door) => {
      await bank.open.get(door)?.hands.transaction(async (hands) => {
        await hands.deposit(1, -10);
        await hands.deposit(2, 10);
      });
      expect((await bank.balances()).slice(0, 2)).toEqual([OPENING_BALANCE - 10, OPENING_BALANCE + 10]);
    });
  });
}

interface Context {
  readonly doors: readonly string[];
  bank(): Bank;
  through(door: string): Hands;
  /** What each says. */
  readonly comment: string;
  /** Runs `work` in a trace; gives what it gave, and the tag of its first statement. */
  traced(work: () => Promise<unknown>): Promise<{ readonly result: unknown; readonly traceparent: string }>;
}

for (const engine of [POSTGRES, PGBOUNCER, MARIADB]) {
  describeComments(engine, ({ doors, bank, through, comment, traced }) => {
    const sql = OWN_TEXT[engine.name] as string;

    it.each(doors)('the server sees who sends a query through %s, and its span', async (door) => {
      const { result, traceparent } = await traced(() => through(door).value(sql));
      expect(result).toBe(`${sql} /*${comment},${traceparent}*/`);
    });

    it.each(doors)('a query through %s that has a comment stays as it is', async (door) => {
      await expect(through(door).value(`${sql} /* mine */`)).resolves.toBe(`${sql} /* mine */`);
    });

    it('a stream has one', async () => {
      const { result, traceparent } = await traced(async () => {
        for await (const { value } of bank().connection.database().stream(sql)) return value;
        return undefined;
      });
      expect(result).toBe(`${sql} /*${comment},${traceparent}*/`);
    });
  });
}

describeComments(POSTGRES, ({ bank, traced }) => {
  it('a statement with a name is prepared as it is, for all its uses', async () => {
    const client = await bank().connection.native().connect();
    const query = { name: 'one', text: 'select $1::int as n', values: [1] };
    for (let n = 0; n < 3; n++) await traced(() => client.query(query));
    const { rows } = await client.query("select statement from pg_prepared_statements where name = 'one'");
    client.release();
    expect(rows).toEqual([{ statement: query.text }]);
  });

  it('a query object is sent with one, and is not changed', async () => {
    const pool = bank().connection.native();
    const query = Object.freeze({ text: OWN_TEXT.postgres as string, rowMode: 'array' as const });
    const { rows } = await pool.query(query);
    expect(rows[0]?.[0]).toMatch(/ \/\*application=/);
    expect(query.text).toBe(OWN_TEXT.postgres);
  });
});

describeComments(MARIADB, ({ bank, traced }) => {
  it('what is executed is prepared once, as it is', async () => {
    const connection = await bank().connection.native('mariadb').promise().getConnection();
    const prepared = async () => {
      const [rows] = await connection.query("show session status like 'Com_stmt_prepare'");
      return Number((rows as { Value: string }[])[0]?.Value);
    };
    const before = await prepared();
    for (let n = 0; n < 3; n++) await traced(() => connection.execute('select ? as n', [n]));
    const after = await prepared();
    connection.release();
    expect(after).toBe(before + 1);
  });

  it('a query object with values is sent with one, and is not changed', async () => {
    const pool = bank().connection.native('mariadb').promise();
    const query = { sql: `${OWN_TEXT.mariadb} and 1 = ?`, values: [1] };
    const [rows] = await pool.query(query);
    expect((rows as { value: string }[])[0]?.value).toMatch(/ and 1 = 1 \/\*application=/);
    expect(query.sql).toBe(`${OWN_TEXT.mariadb} and 1 = ?`);
  });
});

describeComments(MSSQL, ({ doors, bank, through, comment, traced }) => {
  const sent: string[] = [];
  const spies: { mockRestore(): void }[] = [];

  // Of all connections, as another may take the place of the one that is there now.
  beforeAll(async () => {
    const lease = await bank().connection.acquire();
    const { tedious } = lease.connection as { tedious: TediousConnection };
    lease.release();
    const driver = Object.getPrototypeOf(tedious) as TediousConnection;
    for (const method of ['execSql', 'execSqlBatch'] as const) {
      const send = driver[method];
      const spy = jest.spyOn(driver, method).mockImplementation(function (this: TediousConnection, request) {
        sent.push(String(request.sqlTextOrProcedure));
        send.call(this, request);
      });
      spies.push(spy);
    }
  });

  afterAll(() => {
    for (const spy of spies) spy.mockRestore();
  });

  it.each(doors)('a query through %s says who sends it, the same each time, for the sake of its plan', async (door) => {
    sent.length = 0;
    await traced(() => through(door).balance(1));
    await traced(() => through(door).balance(1));
    const [first, second, ...others] = sent.filter((sql) => sql.includes('accounts'));
    expect(first).toMatch(/^select/i);
    expect(first?.endsWith(` /*${comment}*/`)).toBe(true);
    expect(second).toBe(first);
    expect(others).toEqual([]);
  });
});
