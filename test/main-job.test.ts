import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeWithPostgres, PostgresServer } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Serve } from './support/serve.js';

const root = fileURLToPath(new URL('../', import.meta.url));

/** The names document 4 promises. */
const NAMES = [
  'dbmanager_connections_total',
  'dbmanager_connection_status',
  'dbmanager_connection_pool_size',
  'dbmanager_connection_wait_count',
  'dbmanager_connection_wait_duration_seconds',
  'dbmanager_health_check_duration_seconds',
  'dbmanager_reconnect_attempts_total',
  'dbmanager_connection_lifetime_closed_total',
  'dbmanager_connection_idle_closed_total',
];

/** The command on that file; stopped after the test. */
function serveOn(file: string): Serve {
  const serve = new Serve(file);
  running.add(serve);
  return serve;
}

const running = new Set<Serve>();

afterEach(async () => {
  for (const serve of running) await serve.stop();
  running.clear();
});

describe('dbmanager serve on config/dbmanager.yaml', () => {
  it('shows the nine names with a value for every connection, prints the connections, and drains on SIGTERM', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dbmanager-main-'));
    cpSync(join(root, 'config'), join(folder, 'config'), { recursive: true });
    cpSync(join(root, 'data'), join(folder, 'data'), { recursive: true });
    const serve = serveOn(join(folder, 'config/dbmanager.yaml'));
    try {
      await serve.until('/health/ready', 200);
      const scrape = await (await serve.get('/metrics')).text();
      for (const name of NAMES) expect(scrape).toContain(`# TYPE ${name} `);
      for (const connection of ['primary', 'cache', 'reports']) {
        expect(serve.output).toContain(connection);
        expect(scrape).toMatch(new RegExp(`dbmanager_connection_status{[^}]*name="${connection}"[^}]*} 1`));
        expect(scrape).toMatch(
          new RegExp(`dbmanager_connection_pool_size{[^}]*state="open"[^}]*name="${connection}"[^}]*} [1-9]`),
        );
      }
      expect(await serve.stop()).toBe(0);
    } finally {
      await serve.stop();
      rmSync(folder, { recursive: true });
    }
  });
});

describe('dbmanager on a Node that is too old', () => {
  it.each(['20.20.2', '22.16.0'])('says so: %s', (version) => {
    const pretend = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`;
    const { status, stderr } = spawnSync(
      process.execPath,
      ['--import', `data:text/javascript,${pretend}`, 'packages/dbmanager/bin/dbmanager.js', '--version'],
      { cwd: root, encoding: 'utf8' },
    );
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: `dbmanager needs Node 22.17 or newer; this is ${version}\n`,
    });
  });
});

describeWithPostgres('dbmanager serve on PostgreSQL', () => {
  let server: PostgresServer;
  let folder: string;

  beforeAll(async () => {
    server = await PostgresServer.start();
    folder = mkdtempSync(join(tmpdir(), 'dbmanager-main-'));
  }, 60_000);

  afterAll(async () => {
    await server.close();
    rmSync(folder, { recursive: true });
  });

  it('turns unready when the required database goes and ready when it returns, without a restart', async () => {
    const file = join(folder, 'dbmanager.yaml');
    writeFileSync(
      file,
      `dbmanager:
  health_check_interval: 200ms
  retry_max_delay: 1s
  connections:
    primary: { type: postgres, dsn: "${server.url()}" }
    extra: { type: sqlite, filepath: ":memory:" }
`,
    );
    const serve = serveOn(file);
    await serve.until('/health/ready', 200);
    await server.stop('immediate');
    await serve.until('/health/ready', 503);
    const body = (await (await serve.get('/health/ready')).json()) as { down: unknown };
    expect(JSON.stringify(body.down)).toContain('primary');
    expect((await serve.get('/health/live')).status).toBe(200);
    const scrape = await (await serve.get('/metrics')).text();
    expect(scrape).toMatch(/dbmanager_connection_status{[^}]*name="primary"[^}]*} 0/);
    expect(scrape).toMatch(/dbmanager_connection_status{[^}]*name="extra"[^}]*} 1/);
    await server.start();
    await serve.until('/health/ready', 200);
    expect(await serve.stop()).toBe(0);
    expect(serve.output).not.toContain(server.password);
  }, 60_000);
});
