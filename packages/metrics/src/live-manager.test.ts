import { ConnectionManager, ManagedConnection, resolveConfig } from '@dbmanager/core';
import { FakeClock, FakeProvider } from '@dbmanager/testkit';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { PrometheusMetrics } from './index.js';

/** The metrics of a real manager, on a fake engine. */
describe('the metrics of a live manager', () => {
  let provider: FakeProvider;
  let clock: FakeClock;
  let manager: ConnectionManager;
  let metrics: PrometheusMetrics;

  beforeEach(() => {
    provider = new FakeProvider();
    clock = new FakeClock();
    const { config } = resolveConfig(
      {
        max_open_conns: 1,
        connections: {
          primary: { type: 'fake', conn_max_lifetime: '1m', conn_max_idle_time: '10s' },
          reports: { type: 'fake', startup: 'optional' },
        },
      },
      { providers: [provider] },
    );
    manager = new ConnectionManager(config, {
      providers: [provider],
      clock,
      createConnection: (setup) => new ManagedConnection(setup),
    });
    metrics = new PrometheusMetrics(manager);
  });

  afterEach(async () => {
    metrics.detach();
    await manager.close();
    expect(clock.pendingTimers).toBe(0);
  });

  /** The value of one line of a scrape, undefined when it is not there. */
  async function value(line: string): Promise<number | undefined> {
    const found = (await metrics.scrape()).split('\n').find((each) => each.startsWith(`${line} `));
    return found === undefined ? undefined : Number(found.slice(line.length + 1));
  }

  const of = (name: string, connection = 'primary') => `${name}{name="${connection}",type="fake"}`;

  it('follow it from before the start to after the close', async () => {
    expect(await value(of('dbmanager_connection_status'))).toBe(0);
    await manager.connect();
    expect(await value(of('dbmanager_connection_status'))).toBe(1);
    expect(await value('dbmanager_connections_total{type="fake"}')).toBe(2);
    await manager.close();
    expect(await value(of('dbmanager_connection_status'))).toBe(0);
    expect(await value('dbmanager_connection_state{state="closed",name="primary",type="fake"}')).toBe(1);
  });

  it('show a pool in use, and who waited for how long', async () => {
    await manager.connect();
    await clock.advance(0); // the first health check borrows the only connection for a moment
    const primary = manager.get('primary');
    const lease = await primary.acquire();
    const waiting = primary.acquire();
    await clock.advance(250);
    expect(await value('dbmanager_connection_pool_size{state="in_use",name="primary",type="fake"}')).toBe(1);
    expect(await value('db_client_connection_pending_requests{db_client_connection_pool_name="primary"}')).toBe(1);
    expect(await value(of('dbmanager_connection_saturated'))).toBe(1);
    lease.release();
    (await waiting).release();
    expect(await value(of('dbmanager_connection_wait_count'))).toBe(1);
    expect(await value(of('dbmanager_connection_wait_duration_seconds'))).toBeCloseTo(0.25);
    expect(await value('db_client_connection_use_time_seconds_count{db_client_connection_pool_name="primary"}')).toBe(
      2,
    );
  });

  it('count connections closed by idle time, health checks and reconnects', async () => {
    await manager.connect();
    await clock.advance(11_000);
    expect(await value(of('dbmanager_connection_idle_closed_total'))).toBe(1);
    await manager.healthCheck();
    expect(await value(of('dbmanager_health_check_duration_seconds_count'))).toBeGreaterThan(0);
    await manager.reconnect('primary');
    expect(await value('dbmanager_reconnect_attempts_total{result="success",name="primary",type="fake"}')).toBe(1);
  });

  it('lose the series of a connection that is removed', async () => {
    await manager.connect();
    expect(await value(of('dbmanager_connection_status', 'reports'))).toBeDefined();
    await manager.remove('reports');
    expect(await metrics.scrape()).not.toContain('"reports"');
    expect(await value('dbmanager_connections_total{type="fake"}')).toBe(1);
  });

  it('await no database: a scrape is answered while all of them hang', async () => {
    await manager.connect();
    for (const name of ['primary', 'reports']) {
      provider.database(name).validations.latencyMs = Number.POSITIVE_INFINITY;
      provider.database(name).connects.latencyMs = Number.POSITIVE_INFINITY;
    }
    await clock.advance(60_000);
    // The fake clock stands still: whatever awaited a database would never come back.
    expect(await value('dbmanager_connections_total{type="fake"}')).toBe(2);
  });
});
