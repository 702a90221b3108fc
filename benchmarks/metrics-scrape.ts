/**
 * One scrape of /metrics: 50 databases (target < 20 ms) and 1,000 (target < 150 ms), each with a pool that has been used.
 * Beside it what of that is reading the manager, and prom-client alone serialising the same series set by hand.
 */
import { createRequire } from 'node:module';
import { ConnectionManager, ManagedConnection, resolveConfig } from '@dbmanager/core';
import { PrometheusMetrics } from '@dbmanager/metrics';
import { FakeProvider } from '@dbmanager/testkit';
import type { Registry } from 'prom-client';
import { type Comparison, main, type Subject } from './harness.ts';

const promClient = createRequire(import.meta.url)('prom-client') as typeof import('prom-client');

/** A manager whose databases have each been connected and used once. */
async function usedManager(databases: number): Promise<ConnectionManager> {
  const provider = new FakeProvider();
  const connections = Object.fromEntries(
    Array.from({ length: databases }, (_, index) => [`db-${index}`, { type: 'fake' }]),
  );
  const { config } = resolveConfig({ health_check_interval: '0', connections }, { providers: [provider] });
  const manager = new ConnectionManager(config, {
    providers: [provider],
    createConnection: (setup) => new ManagedConnection(setup),
  });
  await manager.connect();
  for (const connection of manager.getAll().values()) (await connection.acquire()).release();
  return manager;
}

/** prom-client's own gauges, holding the lines that `source` has now. */
async function copyByHand(source: PrometheusMetrics): Promise<Registry> {
  const registry = new promClient.Registry();
  const gauges = new Map<string, InstanceType<typeof promClient.Gauge>>();
  for (const family of await source.registry.getMetricsAsJSON()) {
    for (const line of family.values) {
      const name = 'metricName' in line ? String(line.metricName) : family.name;
      const labelNames = Object.keys(line.labels);
      const gauge =
        gauges.get(name) ?? new promClient.Gauge({ name, help: family.help, labelNames, registers: [registry] });
      gauges.set(name, gauge);
      gauge.set(line.labels, line.value);
    }
  }
  return registry;
}

async function timed(work: () => unknown): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

async function comparison(databases: number): Promise<{ readonly comparison: Comparison; close(): Promise<unknown> }> {
  const manager = await usedManager(databases);
  const metrics = new PrometheusMetrics(manager);
  const byHand = await copyByHand(metrics);
  const text = await metrics.scrape();
  const subjects: Subject[] = [
    {
      name: 'scrape()',
      round: () => timed(() => metrics.scrape()),
      extra: () => ({ series: text.split('\n').filter((line) => /^[a-z]/.test(line)).length }),
    },
    { name: 'stats() alone', round: () => timed(() => manager.stats()) },
    { name: 'prom-client by hand', round: () => timed(() => byHand.metrics()) },
  ];
  return {
    comparison: {
      title: `Scrape with ${databases} databases`,
      unit: 'ms',
      better: 'lower',
      against: 'prom-client by hand',
      rounds: 15,
      warmUps: 3,
      subjects,
    },
    close: () => manager.close(),
  };
}

const runs = [await comparison(50), await comparison(1_000)];
await main(runs.map((run) => run.comparison));
for (const run of runs) await run.close();
