/**
 * What observing a query costs (target: at most 3 µs): metrics, spans and the log, each alone and together, against nothing,
 * on SQLite in memory, where a query costs so little that the difference shows. Below that what the observer takes by itself,
 * without a database; spans are made by OpenTelemetry's SDK and dropped.
 */

import { resolveConfig, silentLogger, systemClock } from '@dbmanager/core';
import { sqliteProvider } from '@dbmanager/provider-sqlite';
import { createTelemetry } from '@dbmanager/telemetry';
import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { NoopSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { ConnectionManager } from 'dbmanager';
import { type Comparison, main, type Subject } from './harness.ts';

const QUERIES = 20_000;
const SQL = 'select id, name from users where id = ?';
const OFF = { enable_metrics: false, enable_tracing: false };
const SETTINGS: Readonly<Record<string, object>> = {
  nothing: OFF,
  'metrics (the default)': { ...OFF, enable_metrics: true },
  'log of slow and failed ones': { ...OFF, slow_query_threshold: '10s' },
  spans: { ...OFF, enable_tracing: true },
  'all of them': { enable_metrics: true, enable_tracing: true, slow_query_threshold: '10s' },
};
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new NoopSpanProcessor()] }));

/** A logger that writes nothing and is not the one that says so. */
const LOGGER = { ...silentLogger };

function loggerOf(settings: object): { readonly logger?: typeof LOGGER } {
  return 'slow_query_threshold' in settings ? { logger: LOGGER } : {};
}

function throughTheDatabase([name, settings]: readonly [string, object]): Subject {
  let manager: ConnectionManager;
  return {
    name,
    async start() {
      const memory = { type: 'sqlite', filepath: ':memory:', ...settings };
      manager = ConnectionManager.from({ connections: { memory } }, loggerOf(settings));
      await manager.connect();
      const db = manager.get('memory').database();
      await db.execute('create table users (id integer primary key, name text)');
      await db.execute('insert into users values (1, ?)', ['Astrid']);
    },
    async round() {
      const db = manager.get('memory').database();
      const startedAt = performance.now();
      for (let query = 0; query < QUERIES; query++) await db.query(SQL, [1]);
      return ((performance.now() - startedAt) / QUERIES) * 1_000;
    },
    stop: async () => void (await manager.close()),
  };
}

function observerAlone([name, settings]: readonly [string, object]): Subject {
  const { config } = resolveConfig(
    { connections: { memory: { type: 'sqlite', filepath: ':memory:', ...settings } } },
    { providers: [sqliteProvider] },
  );
  const [connection] = config.connections;
  if (connection === undefined) throw new TypeError('there is a connection');
  const parts = { clock: systemClock, logger: silentLogger, ...loggerOf(settings) };
  const observer = createTelemetry(connection, parts)?.observe({ identity: { system: 'sqlite' } });
  return {
    name,
    async round() {
      const startedAt = performance.now();
      for (let query = 0; query < QUERIES; query++) observer?.begin(SQL, true).end(1);
      return ((performance.now() - startedAt) / QUERIES) * 1_000;
    },
  };
}

const subjects = Object.entries(SETTINGS);
const comparisons: readonly Comparison[] = [
  {
    title: `a query by key on SQLite in memory (median of rounds of ${QUERIES})`,
    unit: 'µs',
    better: 'lower',
    against: 'nothing',
    subjects: subjects.map(throughTheDatabase),
  },
  {
    title: 'the observer alone',
    unit: 'µs',
    better: 'lower',
    against: 'metrics (the default)',
    subjects: subjects.slice(1).map(observerAlone),
  },
];

await main(comparisons);
