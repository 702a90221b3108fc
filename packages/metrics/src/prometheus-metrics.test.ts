import { isDbManagerError, type ManagerStats, type StatementSeries } from '@dbmanager/core';
import { afterEach, describe, expect, it } from '@jest/globals';
import { AggregatorRegistry, Counter, Gauge, type OpenMetricsContentType, Registry } from 'prom-client';
import { sampleClosedBy, sampleDurations, sampleStatements, sampleStats } from '../../../test/support/sample-stats.js';
import { PrometheusMetrics, type PrometheusMetricsOptions } from './index.js';

/** A manager whose statistics the test sets. */
class FakeManager {
  current: ManagerStats;
  reads = 0;

  constructor(current: ManagerStats = sampleStats({ primary: {} })) {
    this.current = current;
  }

  stats(): ManagerStats {
    this.reads++;
    return this.current;
  }
}

const attached: PrometheusMetrics[] = [];

function metricsOf(source: FakeManager | ManagerStats, options?: PrometheusMetricsOptions): PrometheusMetrics {
  const metrics = new PrometheusMetrics(source instanceof FakeManager ? source : new FakeManager(source), options);
  attached.push(metrics);
  return metrics;
}

/** The lines of one family, without its head. */
async function family(metrics: PrometheusMetrics, name: string): Promise<string[]> {
  const text = await metrics.scrape();
  return text.split('\n').filter((line) => new RegExp(`^${name}(_bucket|_sum|_count)?[{ ]`).test(line));
}

function rejected(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
}

afterEach(() => {
  for (const metrics of attached.splice(0)) metrics.detach();
});

describe('seeds 4: Metrics: the nine documented names', () => {
  const stats = sampleStats({
    primary: {
      type: 'postgres',
      pool: {
        open: 7,
        idle: 3,
        inUse: 4,
        waitCount: 12,
        waitDurationMs: 2_500,
        closedBy: sampleClosedBy({ lifetime: 5, idle: 6, error: 1 }),
      },
      healthChecks: sampleDurations(0.0005, 0.02, 20),
      reconnects: { success: 2, failure: 9 },
    },
    analytics: { type: 'postgres', health: { status: 'unhealthy', state: 'degraded' } },
    cache: { type: 'sqlite' },
  });

  it('counts the configured connections by type', async () => {
    expect(await family(metricsOf(stats), 'dbmanager_connections_total')).toEqual([
      'dbmanager_connections_total{type="postgres"} 2',
      'dbmanager_connections_total{type="sqlite"} 1',
    ]);
  });

  it('shows 1 for a healthy connection and 0 for any other', async () => {
    expect(await family(metricsOf(stats), 'dbmanager_connection_status')).toEqual([
      'dbmanager_connection_status{name="primary",type="postgres"} 1',
      'dbmanager_connection_status{name="analytics",type="postgres"} 0',
      'dbmanager_connection_status{name="cache",type="sqlite"} 1',
    ]);
  });

  it('shows the pool by state', async () => {
    const lines = await family(metricsOf(stats), 'dbmanager_connection_pool_size');
    expect(lines.slice(0, 3)).toEqual([
      'dbmanager_connection_pool_size{state="open",name="primary",type="postgres"} 7',
      'dbmanager_connection_pool_size{state="idle",name="primary",type="postgres"} 3',
      'dbmanager_connection_pool_size{state="in_use",name="primary",type="postgres"} 4',
    ]);
  });

  it.each([
    ['dbmanager_connection_wait_count', 12],
    ['dbmanager_connection_wait_duration_seconds', 2.5],
    ['dbmanager_connection_lifetime_closed_total', 5],
    ['dbmanager_connection_idle_closed_total', 6],
  ])('shows %s as the pool has it, in base units', async (name, value) => {
    expect(await family(metricsOf(stats), name)).toContain(`${name}{name="primary",type="postgres"} ${value}`);
  });

  it('cumulates the buckets of the health check histogram', async () => {
    const lines = await family(metricsOf(stats), 'dbmanager_health_check_duration_seconds');
    const labels = 'name="primary",type="postgres"';
    expect(lines.slice(0, 12)).toEqual([
      ...[0.001, 0.005, 0.01].map((le) => `dbmanager_health_check_duration_seconds_bucket{le="${le}",${labels}} 1`),
      ...[0.05, 0.1, 0.5, 1, 5, 10].map(
        (le) => `dbmanager_health_check_duration_seconds_bucket{le="${le}",${labels}} 2`,
      ),
      `dbmanager_health_check_duration_seconds_bucket{le="+Inf",${labels}} 3`,
      `dbmanager_health_check_duration_seconds_sum{${labels}} 20.0205`,
      `dbmanager_health_check_duration_seconds_count{${labels}} 3`,
    ]);
  });

  it('counts reconnects by result', async () => {
    const lines = await family(metricsOf(stats), 'dbmanager_reconnect_attempts_total');
    expect(lines.slice(0, 2)).toEqual([
      'dbmanager_reconnect_attempts_total{result="success",name="primary",type="postgres"} 2',
      'dbmanager_reconnect_attempts_total{result="failure",name="primary",type="postgres"} 9',
    ]);
  });

  it('gives each its documented type', async () => {
    const text = await metricsOf(stats).scrape();
    const types = Object.fromEntries(
      [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]),
    );
    expect(types).toMatchObject({
      dbmanager_connections_total: 'gauge',
      dbmanager_connection_status: 'gauge',
      dbmanager_connection_pool_size: 'gauge',
      dbmanager_connection_wait_count: 'counter',
      dbmanager_connection_wait_duration_seconds: 'counter',
      dbmanager_health_check_duration_seconds: 'histogram',
      dbmanager_reconnect_attempts_total: 'counter',
      dbmanager_connection_lifetime_closed_total: 'counter',
      dbmanager_connection_idle_closed_total: 'counter',
    });
  });
});

describe('the OpenTelemetry pool metrics', () => {
  const stats = sampleStats({
    primary: {
      pool: {
        max: 20,
        maxIdle: 4,
        idle: 3,
        inUse: 2,
        pending: 7,
        acquireTimeouts: 8,
        createTime: sampleDurations(0.2),
        waitTime: sampleDurations(0.3, 0.4),
        useTime: sampleDurations(0.001, 0.001, 0.001),
      },
    },
  });

  it.each([
    ['db_client_connection_count{db_client_connection_state="idle",db_client_connection_pool_name="primary"} 3'],
    ['db_client_connection_count{db_client_connection_state="used",db_client_connection_pool_name="primary"} 2'],
    ['db_client_connection_max{db_client_connection_pool_name="primary"} 20'],
    ['db_client_connection_idle_max{db_client_connection_pool_name="primary"} 4'],
    ['db_client_connection_idle_min{db_client_connection_pool_name="primary"} 0'],
    ['db_client_connection_pending_requests{db_client_connection_pool_name="primary"} 7'],
    ['db_client_connection_timeouts_total{db_client_connection_pool_name="primary"} 8'],
    ['db_client_connection_create_time_seconds_count{db_client_connection_pool_name="primary"} 1'],
    ['db_client_connection_wait_time_seconds_count{db_client_connection_pool_name="primary"} 2'],
    ['db_client_connection_use_time_seconds_count{db_client_connection_pool_name="primary"} 3'],
  ])('has the line %s', async (line) => {
    expect((await metricsOf(stats).scrape()).split('\n')).toContain(line);
  });
});

describe('what both leave out', () => {
  const stats = sampleStats({
    primary: {
      health: { state: 'degraded', status: 'unhealthy' },
      pool: {
        saturated: true,
        suspended: true,
        createFailures: 3,
        acquireTimeouts: 4,
        leaks: 5,
        dirtyReleases: 6,
        closedBy: sampleClosedBy({ failover: 2 }),
      },
    },
    fresh: { health: { lastSuccessAt: undefined } },
  });

  it('shows the state as 1 for the one it is in and 0 for the others', async () => {
    const lines = (await family(metricsOf(stats), 'dbmanager_connection_state')).filter((line) =>
      line.includes('name="primary"'),
    );
    expect(lines).toHaveLength(7);
    expect(lines.filter((line) => line.endsWith(' 1'))).toEqual([
      'dbmanager_connection_state{state="degraded",name="primary",type="sqlite"} 1',
    ]);
  });

  it('shows when the database last answered, and nothing until it has', async () => {
    expect(await family(metricsOf(stats), 'dbmanager_connection_last_success_timestamp_seconds')).toEqual([
      'dbmanager_connection_last_success_timestamp_seconds{name="primary",type="sqlite"} 1735787045',
    ]);
  });

  it.each([
    ['dbmanager_connection_saturated{name="primary",type="sqlite"} 1'],
    ['dbmanager_connection_saturated{name="fresh",type="sqlite"} 0'],
    ['dbmanager_connection_suspended{name="primary",type="sqlite"} 1'],
    ['dbmanager_connection_closed_total{reason="failover",name="primary",type="sqlite"} 2'],
    ['dbmanager_connection_closed_total{reason="close",name="primary",type="sqlite"} 0'],
    ['dbmanager_connection_create_failures_total{name="primary",type="sqlite"} 3'],
    ['dbmanager_connection_acquire_timeouts_total{name="primary",type="sqlite"} 4'],
    ['dbmanager_connection_leaks_total{name="primary",type="sqlite"} 5'],
    ['dbmanager_connection_dirty_releases_total{name="primary",type="sqlite"} 6'],
  ])('has the line %s', async (line) => {
    expect((await metricsOf(stats).scrape()).split('\n')).toContain(line);
  });
});

describe('statements', () => {
  const labels = 'db_operation_name="SELECT",db_collection_name="users",db_client_connection_pool_name="primary"';

  it('seeds 1: Metrics: are a histogram by operation and table, of how long and of how many rows', async () => {
    const metrics = metricsOf(
      sampleStats({ primary: { statements: sampleStatements('SELECT', 'users', 3, 0.002, 0.2) } }),
    );
    const durations = await family(metrics, 'db_client_operation_duration_seconds');
    expect(durations).toHaveLength(12);
    expect(durations).toEqual(
      expect.arrayContaining([
        `db_client_operation_duration_seconds_bucket{${labels.replace('",db_client', '",le="0.005",db_client')}} 1`,
        `db_client_operation_duration_seconds_count{${labels}} 2`,
        `db_client_operation_duration_seconds_sum{${labels}} 0.202`,
      ]),
    );
    const rows = await family(metrics, 'db_client_response_returned_rows');
    expect(rows).toHaveLength(16);
    expect(rows).toContain(`db_client_response_returned_rows_sum{${labels}} 6`);
  });

  it('seeds 1: Metrics: are counted when they fail', async () => {
    const [series] = sampleStatements('SELECT', 'users', 0).series;
    const failed = { ...(series as StatementSeries), errors: 4 };
    const metrics = metricsOf(sampleStats({ primary: { statements: { series: [failed] } } }));
    expect(await family(metrics, 'dbmanager_statement_errors_total')).toEqual([
      `dbmanager_statement_errors_total{${labels}} 4`,
    ]);
    expect(await family(metrics, 'db_client_response_returned_rows')).toEqual([]);
  });
});

describe('PrometheusMetrics', () => {
  it('reads the statistics anew at each scrape, once for all families', async () => {
    const manager = new FakeManager();
    const metrics = metricsOf(manager);
    expect(manager.reads).toBe(0);
    await metrics.scrape();
    expect(manager.reads).toBe(1);

    manager.current = sampleStats({ primary: { pool: { waitCount: 99 } } });
    expect(await family(metrics, 'dbmanager_connection_wait_count')).toEqual([
      'dbmanager_connection_wait_count{name="primary",type="sqlite"} 99',
    ]);
    expect(manager.reads).toBe(2);
  });

  it('seeds 4: Metrics: drops the series of a connection that the manager no longer has', async () => {
    const manager = new FakeManager(sampleStats({ primary: {}, old: { type: 'mysql' } }));
    const metrics = metricsOf(manager);
    expect(await metrics.scrape()).toContain('"old"');
    manager.current = sampleStats({ primary: {} });
    const text = await metrics.scrape();
    expect(text).not.toContain('"old"');
    expect(text).not.toContain('"mysql"');
  });

  it('labels a connection anew when its name comes back with another type', async () => {
    const manager = new FakeManager(sampleStats({ primary: { type: 'sqlite' } }));
    const metrics = metricsOf(manager);
    await metrics.scrape();
    manager.current = sampleStats({ primary: { type: 'postgres' } });
    expect(await family(metrics, 'dbmanager_connection_status')).toEqual([
      'dbmanager_connection_status{name="primary",type="postgres"} 1',
    ]);
  });

  it('leaves a connection with enable_metrics false out, but counts it as configured', async () => {
    const text = await metricsOf(sampleStats({ primary: {}, quiet: { metricsEnabled: false } })).scrape();
    expect(text).not.toContain('"quiet"');
    expect(text).toContain('dbmanager_connections_total{type="sqlite"} 2');
  });

  it('escapes what a name may hold', async () => {
    const text = await metricsOf(sampleStats({ 'a"b\\c\nd': {} })).scrape();
    expect(text).toContain('dbmanager_connection_status{name="a\\"b\\\\c\\nd",type="sqlite"} 1');
  });

  it('rejects a scrape when the manager cannot be read', async () => {
    const failure = new Error('broken');
    const metrics = new PrometheusMetrics({
      stats(): never {
        throw failure;
      },
    });
    await expect(metrics.scrape()).rejects.toBe(failure);
  });

  it('gives the same values as JSON, with all labels on each', async () => {
    const metrics = metricsOf(sampleStats({ primary: { healthChecks: sampleDurations(0.02) } }));
    const json = await metrics.registry.getMetricsAsJSON();
    const checks = json.find(({ name }) => name === 'dbmanager_health_check_duration_seconds');
    expect(checks?.values).toContainEqual({
      labels: { le: 0.05, name: 'primary', type: 'sqlite' },
      value: 1,
      metricName: 'dbmanager_health_check_duration_seconds_bucket',
    });
    expect(json.find(({ name }) => name === 'dbmanager_connection_status')?.values).toEqual([
      { labels: { name: 'primary', type: 'sqlite' }, value: 1 },
    ]);
  });

  it('joins the processes of a cluster by sum, and the status by the worst', async () => {
    const workers = await Promise.all(
      [
        sampleStats({ primary: { pool: { waitCount: 2 } } }),
        sampleStats({ primary: { health: { status: 'unhealthy' }, pool: { waitCount: 3 } } }),
      ].map((stats) => metricsOf(stats).registry.getMetricsAsJSON()),
    );
    const text = await AggregatorRegistry.aggregate(workers).metrics();
    expect(text).toContain('dbmanager_connection_wait_count{name="primary",type="sqlite"} 5');
    expect(text).toContain('dbmanager_connection_status{name="primary",type="sqlite"} 0');
  });

  it('speaks OpenMetrics on a registry of that kind', async () => {
    const registry = new Registry<OpenMetricsContentType>();
    registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    const metrics = metricsOf(new FakeManager(), { registry });
    const text = await metrics.scrape();
    expect(metrics.contentType).toContain('openmetrics');
    expect(text).toContain('# TYPE dbmanager_reconnect_attempts counter\n');
    expect(text).toContain('dbmanager_reconnect_attempts_total{result="success",name="primary",type="sqlite"} 0');
    expect(text.endsWith('# EOF\n')).toBe(true);
    metrics.detach();
    expect(registry.getMetricsAsArray()).toEqual([]);
  });

  it('shows its values unchanged after the registry is reset, because they are read from the pools', async () => {
    const metrics = metricsOf(sampleStats({ primary: { pool: { leaks: 3 } } }));
    metrics.registry.resetMetrics();
    expect(await family(metrics, 'dbmanager_connection_leaks_total')).toEqual([
      'dbmanager_connection_leaks_total{name="primary",type="sqlite"} 3',
    ]);
  });
});

describe('registries', () => {
  it('seeds 4: Metrics: are its own by default, so that two managers do not collide', async () => {
    const first = metricsOf(sampleStats({ one: {} }));
    const second = metricsOf(sampleStats({ two: {} }));
    expect(await first.scrape()).not.toContain('"two"');
    expect(await second.scrape()).not.toContain('"one"');
  });

  it('may be given, and keep what else is on them and their default labels', async () => {
    const registry = new Registry();
    new Counter({ name: 'own_total', help: 'Own.', registers: [registry] }).inc();
    registry.setDefaultLabels({ service: 'shop' });
    const text = await metricsOf(new FakeManager(), { registry }).scrape();
    expect(text).toContain('own_total{service="shop"} 1');
    expect(text).toContain('dbmanager_connection_status{service="shop",name="primary",type="sqlite"} 1');
  });

  it('show several managers told apart by the label manager', async () => {
    const registry = new Registry();
    const first = metricsOf(sampleStats({ primary: {} }), { registry, manager: 'orders' });
    metricsOf(sampleStats({ primary: {} }), { registry, manager: 'users' });
    expect(await family(first, 'dbmanager_connection_status')).toEqual([
      'dbmanager_connection_status{name="primary",type="sqlite",manager="orders"} 1',
      'dbmanager_connection_status{name="primary",type="sqlite",manager="users"} 1',
    ]);
    expect(await family(first, 'dbmanager_connections_total')).toEqual([
      'dbmanager_connections_total{type="sqlite",manager="orders"} 1',
      'dbmanager_connections_total{type="sqlite",manager="users"} 1',
    ]);
    expect(await family(first, 'db_client_connection_max')).toContain(
      'db_client_connection_max{db_client_connection_pool_name="primary",manager="users"} 25',
    );
  });

  it.each([[undefined], ['orders']])('refuse a second manager under the same label (%s)', async (manager) => {
    const registry = new Registry();
    const first = metricsOf(new FakeManager(), { registry, manager });
    const error = rejected(() => new PrometheusMetrics(new FakeManager(), { registry, manager }));
    expect(isDbManagerError(error, 'DBM_INVALID_OPTION') && error.option).toBe('manager');
    expect(await family(first, 'dbmanager_connection_status')).toHaveLength(1);
  });

  it('refuse names that something else has taken, and stay as they were', () => {
    const registry = new Registry();
    new Gauge({ name: 'dbmanager_connection_saturated', help: 'Somebody else.', registers: [registry] });
    const error = rejected(() => new PrometheusMetrics(new FakeManager(), { registry }));
    expect(isDbManagerError(error, 'DBM_INVALID_OPTION') && error.option).toBe('registry');
    expect(registry.getMetricsAsArray()).toHaveLength(1);
  });

  it('are left by detach: the series at once, the families with the last manager', async () => {
    const registry = new Registry();
    const first = metricsOf(sampleStats({ one: {} }), { registry, manager: 'a' });
    const second = metricsOf(sampleStats({ two: {} }), { registry, manager: 'b' });
    first.detach();
    first.detach();
    const text = await registry.metrics();
    expect(text).not.toContain('"one"');
    expect(text).toContain('"two"');
    second.detach();
    expect(registry.getMetricsAsArray()).toEqual([]);
  });

  it('can be joined again after detach and after clear', async () => {
    const registry = new Registry();
    metricsOf(new FakeManager(), { registry }).detach();
    const again = metricsOf(new FakeManager(), { registry });
    expect(await family(again, 'dbmanager_connection_status')).toHaveLength(1);
    registry.clear();
    again.detach();
    const afterClear = metricsOf(new FakeManager(), { registry });
    expect(await family(afterClear, 'dbmanager_connection_status')).toHaveLength(1);
  });
});
