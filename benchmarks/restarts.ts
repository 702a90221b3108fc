/**
 * PostgreSQL killed and restarted again and again under load: what fails, how soon it is over, and whether anything grows.
 * `--cycles N` (default 200). Run with --expose-gc.
 */
import { parseArgs } from 'node:util';
import { PostgresServer } from '@dbmanager/testkit';
import { ConnectionManager, DbManagerError } from 'dbmanager';
import { machine, median } from './harness.ts';

const { values } = parseArgs({ options: { cycles: { type: 'string', default: '200' } }, strict: false });
const CYCLES = Number(values.cycles);
const WORKERS = 64;
/** Between two kills, so that every connection is in use when the next comes. */
const LOAD = 1_000;
const REPORT_EVERY = Math.max(1, Math.floor(CYCLES / 8));
const RETRY_MAX_DELAY_MS = 500;

const server = await PostgresServer.start();
const mgr = ConnectionManager.from({
  connections: {
    primary: {
      type: 'postgres',
      dsn: server.url(),
      max_open_conns: 10,
      retry_delay: '50ms',
      retry_max_delay: `${RETRY_MAX_DELAY_MS}ms`,
      health_check_interval: '1s',
    },
  },
});
await mgr.connect();
const db = mgr.getDefaultDatabase();

let running = true;
let answered = 0;
let failed = 0;
const codes = new Map<string, number>();
let awaited = 0;
let onAnswers: (() => void) | undefined;

async function work(): Promise<void> {
  while (running) {
    try {
      await db.query('select pg_sleep(0.002)');
      answered++;
      if (--awaited === 0) onAnswers?.();
    } catch (error) {
      failed++;
      const code = error instanceof DbManagerError ? error.code : `untyped ${(error as Error).message}`;
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
  }
}

/** Resolves when so many more queries have been answered. */
function answers(count: number): Promise<void> {
  return new Promise((resolve) => {
    awaited = count;
    onAnswers = resolve;
  });
}

function sockets(): number {
  return process.getActiveResourcesInfo().filter((resource) => resource === 'TCPSocketWrap').length;
}

async function report(cycle: number, recoveries: readonly number[]): Promise<void> {
  globalThis.gc?.();
  const heap = (process.memoryUsage().heapUsed / 2 ** 20).toFixed(1);
  const { open, created, destroyed } = mgr.get('primary').stats().pool;
  const recovery =
    recoveries.length === 0 ? '-' : `${median(recoveries).toFixed(0)} / ${Math.max(...recoveries).toFixed(0)}`;
  console.log(
    `| ${cycle} | ${heap} | ${sockets()} | ${open} | ${created - destroyed} | ${answered} | ${failed} | ${recovery} |`,
  );
}

console.log(
  `${machine()}\n\n### ${CYCLES} kills (immediate) and restarts of PostgreSQL under ${WORKERS} workers on 10 connections\n`,
);
console.log(
  '| cycle | heap, MiB | sockets | open | created − destroyed | answered | failed | recovery after start, ms: median / most |',
);
console.log('| --- | --- | --- | --- | --- | --- | --- | --- |');
const workers = Promise.all(Array.from({ length: WORKERS }, work));
const recoveries: number[] = [];
await answers(LOAD);
await report(0, recoveries);
for (let cycle = 1; cycle <= CYCLES; cycle++) {
  await server.stop('immediate');
  await server.start();
  const startedAt = performance.now();
  await answers(1);
  recoveries.push(performance.now() - startedAt);
  await answers(LOAD);
  if (cycle % REPORT_EVERY === 0) await report(cycle, recoveries.splice(0));
}
running = false;
await workers;
await mgr.close();
const { created, destroyed } = mgr.stats().connections.primary?.pool ?? { created: -1, destroyed: -2 };
console.log(`\nerrors by code: ${[...codes].map(([code, count]) => `${code} ${count}`).join(', ')}`);
console.log(`after close: created ${created}, destroyed ${destroyed}, sockets ${sockets()}`);
await server.close();
