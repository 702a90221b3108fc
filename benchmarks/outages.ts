/**
 * Two outages of PostgreSQL, behind a proxy that fails as networks do: ten idle sockets that have become black holes, and
 * a port that refuses while a hundred callers want a connection.
 */
import { FaultProxy, PostgresServer } from '@dbmanager/testkit';
import { ConnectionManager } from 'dbmanager';
import pg from 'pg';
import { main, type Subject } from './harness.ts';

const IDLE = 10;
const TIMEOUT_MS = 1_000;
const CALLERS = 100;
const REFUSED_FOR_MS = 10_000;

const server = await PostgresServer.start();

interface Target {
  query(): Promise<unknown>;
  close(): Promise<unknown>;
}

async function managed(port: number): Promise<Target & { readonly mgr: ConnectionManager }> {
  const mgr = ConnectionManager.from({
    health_check_interval: '0',
    connections: {
      primary: {
        type: 'postgres',
        dsn: urlOf(port),
        max_open_conns: IDLE,
        max_idle_conns: IDLE,
        validation_timeout: `${TIMEOUT_MS}ms`,
        acquire_timeout: '5s',
      },
    },
  });
  await mgr.connect();
  const pool = mgr.get('primary').native();
  return { mgr, query: () => pool.query('select pg_sleep(0.05)'), close: () => mgr.close({ drainTimeoutMs: 0 }) };
}

function own(port: number): Target {
  const pool = new pg.Pool({ connectionString: urlOf(port), max: IDLE, query_timeout: TIMEOUT_MS });
  pool.on('error', () => {}); // an idle client that dies; the next query makes another
  return { query: () => pool.query('select pg_sleep(0.05)'), close: () => pool.end() };
}

function urlOf(port: number): string {
  const url = new URL(server.url());
  url.port = String(port);
  return url.href;
}

function blackHoles(name: string, open: (port: number) => Promise<Target> | Target): Subject {
  let failures = 0;
  return {
    name,
    extra: () => ({ failures }),
    async round() {
      const proxy = await FaultProxy.start(server);
      const target = await open(proxy.port);
      await Promise.all(Array.from({ length: IDLE }, () => target.query()));
      // Longer than validate_after, as sockets are that a firewall has forgotten.
      await new Promise((resolve) => setTimeout(resolve, 700));
      proxy.blackHole();
      failures = 0;
      const startedAt = performance.now();
      for (let answered = false; !answered; ) {
        answered = await target.query().then(
          () => true,
          () => false,
        );
        if (!answered) failures++;
      }
      const recoveredAfter = performance.now() - startedAt;
      proxy.close();
      await target.close();
      return recoveredAfter;
    },
  };
}

function refused(
  name: string,
  open: (port: number) => Promise<Target> | Target,
  connects: (target: Target) => number,
): Subject {
  return {
    name,
    async round() {
      const proxy = await FaultProxy.start(server);
      const target = await open(proxy.port);
      await target.query();
      proxy.refuse();
      proxy.cut('reset');
      attempted = 0;
      const before = connects(target);
      const until = performance.now() + REFUSED_FOR_MS;
      const caller = async () => {
        while (performance.now() < until) await target.query().catch(() => attempted++);
      };
      const callers = Promise.all(Array.from({ length: CALLERS }, caller));
      await new Promise((resolve) => setTimeout(resolve, REFUSED_FOR_MS));
      const made = connects(target) - before;
      await proxy.accept();
      await callers;
      proxy.close();
      await target.close();
      return made;
    },
  };
}

/** pg-pool connects once for every query that fails so. */
let attempted = 0;
const managedConnects = (target: Target) =>
  (target as Awaited<ReturnType<typeof managed>>).mgr.get('primary').stats().pool.createFailures;

try {
  await main([
    {
      title: `${IDLE} idle sockets black-holed, ${TIMEOUT_MS} ms timeout: until a query is answered again`,
      unit: 'ms',
      better: 'lower',
      against: 'pg-pool',
      rounds: 5,
      warmUps: 0,
      subjects: [blackHoles('pg-pool', own), blackHoles('managed', managed)],
    },
    {
      title: `connects in ${REFUSED_FOR_MS / 1_000} s on a refused port, ${CALLERS} callers`,
      unit: 'connects',
      better: 'lower',
      against: 'pg-pool',
      rounds: 5,
      warmUps: 0,
      subjects: [refused('pg-pool', own, () => attempted), refused('managed', managed, managedConnects)],
    },
  ]);
} finally {
  await server.close();
}
