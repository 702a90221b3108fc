import { type ConnectionConfig, type Logger, type StatementRecorder, silentLogger } from '@dbmanager/core';
import { FakeClock, FakeProvider, testConfig } from '@dbmanager/testkit';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type Span, type Tracer, trace } from '@opentelemetry/api';
import { createTelemetry } from './connection-telemetry.js';

const IDENTITY = { system: 'postgresql', namespace: 'app' };

describe('What is made of statements', () => {
  let clock: FakeClock;
  let records: object[];
  let logger: Logger;

  beforeEach(() => {
    clock = new FakeClock();
    records = [];
    const write = (fields: object, message: string) => void records.push({ ...fields, message });
    logger = { ...silentLogger, warn: write, error: write };
  });

  const config = (options: object): ConnectionConfig => testConfig(new FakeProvider(), options, 'primary');
  const telemetry = (options: object = {}): StatementRecorder => {
    const recorder = createTelemetry(config(options), { clock, logger });
    if (recorder === undefined) throw new Error('nothing is made of them');
    return recorder;
  };
  /** Sends a statement that takes so long. */
  async function run(
    recorder: StatementRecorder,
    sql: string,
    ms: number,
    end: { rows?: number; error?: unknown } = {},
  ) {
    const observation = recorder.observe({ identity: IDENTITY })?.begin(sql, false);
    await clock.advance(ms);
    if ('error' in end) observation?.fail(end.error, '23505');
    else observation?.end(end.rows);
  }

  it('is nothing when nothing is wanted', () => {
    const off = { enableMetrics: false, enableTracing: false, sqlComments: false };
    expect(createTelemetry(config(off), { clock, logger: silentLogger })).toBeUndefined();
  });

  it('seeds 1: Slow query log: one record for a statement that reaches the threshold, without its values', async () => {
    const recorder = telemetry({ slowQueryThresholdMs: 100 });
    await run(recorder, "select * from users where name = 's3cret'", 99);
    await run(recorder, "select * from users where name = 's3cret'", 100, { rows: 3 });
    expect(records).toEqual([
      {
        connection: 'primary',
        operation: 'SELECT',
        collection: 'users',
        statement: 'select * from users where name = ?',
        durationMs: 100,
        thresholdMs: 100,
        rows: 3,
        message: 'slow statement',
      },
    ]);
  });

  it('seeds 4: Logging: one record for a statement that fails, also when it is slow, with its code alone', async () => {
    const recorder = telemetry({ slowQueryThresholdMs: 100 });
    const error = Object.assign(new Error('duplicate key value s3cret'), { code: '23505' });
    await run(recorder, "insert into users values ('s3cret')", 250, { error });
    expect(records).toEqual([
      {
        connection: 'primary',
        operation: 'INSERT',
        collection: 'users',
        statement: 'insert into users values (?)',
        durationMs: 250,
        thresholdMs: 100,
        errorType: '23505',
        message: 'statement failed',
      },
    ]);
  });

  it('a logger and an SDK that throw do not become the outcome of a statement, or of a transaction', async () => {
    const broken = (): never => {
      throw new Error('broken');
    };
    logger = { ...silentLogger, warn: broken };
    const span = { setAttribute: broken, setStatus: broken, end: broken } as unknown as Span;
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    try {
      for (const startSpan of [broken, () => span]) {
        trace.setGlobalTracerProvider({
          getTracer: () => ({ startSpan, startActiveSpan: broken }) as unknown as Tracer,
        });
        const recorder = telemetry({ enableTracing: true, slowQueryThresholdMs: 1 });
        await run(recorder, 'commit', 5);
        await run(recorder, 'commit', 5, { error: new Error('refused') });
        await expect(recorder.transaction?.(async () => 'committed')).resolves.toBe('committed');
        await expect(recorder.transaction?.(() => Promise.reject(new Error('mine')))).rejects.toThrow('mine');
        trace.disable();
      }
      expect(warn).toHaveBeenCalledTimes(1);
    } finally {
      warn.mockRestore();
      trace.disable();
    }
  });

  it('none is slow without a threshold', async () => {
    await run(telemetry(), 'select 1', 100_000);
    expect(records).toEqual([]);
  });

  it('a statement is counted once, whatever is said of its end later', () => {
    const recorder = telemetry();
    const observation = recorder.observe({ identity: IDENTITY })?.begin('select 1 from t', false);
    observation?.end(1);
    observation?.end(5);
    observation?.fail(new Error('late'));
    const [series] = recorder.stats().series;
    expect(series).toMatchObject({ operation: 'SELECT', collection: 't', errors: 0 });
    expect(series?.duration.count).toBe(1);
    expect(series?.rows).toMatchObject({ count: 1, sum: 1 });
  });

  it('tables beyond a hundred are counted without their names', async () => {
    const recorder = telemetry();
    for (let n = 0; n < 300; n++) await run(recorder, `select * from tenant_${n}`, 1);
    const { series } = recorder.stats();
    expect(series).toHaveLength(101);
    expect(series.find(({ collection }) => collection === '')?.duration.count).toBe(200);
  });

  it('comments on a statement where that is wanted, and not where it has a comment already', () => {
    const tags = { db_driver: 'pg', application: "shop*/ '" };
    const commented = (options: object, sql: string) =>
      telemetry(options).observe({ identity: IDENTITY, tags })?.begin(sql, false).commented?.('traced');
    const wanted = { enableMetrics: false, sqlComments: true };
    expect(commented(wanted, 'select 1')).toBe("select 1 /*application='shop%2A%2F%20%27',db_driver='pg'*/");
    expect(commented(wanted, 'select /* one */ 1')).toBeUndefined();
    expect(commented({}, 'select 1')).toBeUndefined();
  });

  it('counts go on when the engine is opened again', async () => {
    const recorder = telemetry();
    await run(recorder, 'select * from t', 1);
    await run(recorder, 'select * from t', 1);
    expect(recorder.stats().series).toMatchObject([{ duration: { count: 2 } }]);
  });

  it('statements that differ in their values are one among the slowest, the worst first', async () => {
    const recorder = telemetry();
    const observer = recorder.observe({ identity: IDENTITY });
    const send = async (sql: string, ms: number) => {
      const observation = observer?.begin(sql, false);
      await clock.advance(ms);
      observation?.end();
    };
    await send('select * from a where id = 1', 10);
    await send('select * from a where id = 2', 30);
    await send('select * from b', 35);
    expect(recorder.slowest(1)).toEqual([
      {
        text: 'select * from a where id = ?',
        operation: 'SELECT',
        collection: 'a',
        count: 2,
        errors: 0,
        totalMs: 40,
        maxMs: 30,
      },
    ]);
    expect(recorder.slowest(5)).toHaveLength(2);
  });

  it('texts that differ in their literals are known again, each under the comment that is for it', () => {
    const observer = telemetry({ sqlComments: true }).observe({ identity: IDENTITY, tags: { db_driver: 'pg' } });
    const sent = ["select 'a' from t where id = 1", "select 'b' from t where id = 2"].map((sql) =>
      observer?.begin(sql, false).commented?.('traced'),
    );
    expect(sent).toEqual([
      "select 'a' from t where id = 1 /*db_driver='pg'*/",
      "select 'b' from t where id = 2 /*db_driver='pg'*/",
    ]);
  });

  it('no span of a statement shows a literal of another one like it', () => {
    const recorder = telemetry();
    const observer = recorder.observe({ identity: IDENTITY });
    observer?.begin('select * from t where id = 7', false).end();
    observer?.begin('select * from t where id = ?', true).end();
    const texts = recorder.slowest(10).map(({ text, count }) => ({ text, count }));
    expect(texts).toEqual([{ text: 'select * from t where id = ?', count: 2 }]);
  });

  it('texts that are seen once push each other out, and not those in use', () => {
    const recorder = telemetry();
    const observer = recorder.observe({ identity: IDENTITY });
    for (let n = 0; n < 5_000; n++) {
      observer?.begin(`select c${n} from t`, false).end();
      observer?.begin('select * from users', false).end();
    }
    const profiles = recorder.slowest(10_000);
    expect(profiles.find(({ collection }) => collection === 'users')?.count).toBe(5_000);
    expect(profiles.find(({ collection }) => collection === 't')?.count).toBeLessThanOrEqual(1_000);
  });
});
