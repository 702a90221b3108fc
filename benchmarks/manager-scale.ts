/**
 * The manager with many names, on databases that only wait: starting twenty, and what a thousand lazy ones cost in heap
 * and in the time of the health loop. Run with --expose-gc.
 */
import { type ConfigInput, ConnectionManager, ManagedConnection, resolveConfig } from '@dbmanager/core';
import { FakeClock, FakeProvider } from '@dbmanager/testkit';
import { main } from './harness.ts';

const DATABASES = 20;
const CONNECT_MS = 100;
const LAZY = 1_000;
const HOUR_MS = 3_600_000;

function managerOf(count: number, keys: object, provider: FakeProvider, clock?: FakeClock): ConnectionManager {
  const names = Array.from({ length: count }, (_, index) => `db${index}`);
  const input: ConfigInput = {
    connections: Object.fromEntries(names.map((name) => [name, { type: 'fake', ...keys }])),
  };
  return new ConnectionManager(resolveConfig(input, { providers: [provider] }).config, {
    providers: [provider],
    createConnection: (setup) => new ManagedConnection(setup),
    ...(clock === undefined ? {} : { clock }),
  });
}

async function startTime(connect: (mgr: ConnectionManager) => Promise<unknown>): Promise<number> {
  const provider = new FakeProvider();
  const mgr = managerOf(DATABASES, {}, provider);
  for (const name of mgr.getAll().keys()) provider.database(name).connects.latencyMs = CONNECT_MS;
  const startedAt = performance.now();
  await connect(mgr);
  const took = performance.now() - startedAt;
  await mgr.close();
  return took;
}

async function oneByOne(mgr: ConnectionManager): Promise<void> {
  for (const connection of mgr.getAll().values()) await connection.connect();
}

function heapUsed(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

/** CPU milliseconds of an hour on this clock. */
async function cpuOf(clock: FakeClock): Promise<string> {
  const before = process.cpuUsage();
  await clock.advance(HOUR_MS);
  const { user, system } = process.cpuUsage(before);
  return ((user + system) / 1_000).toFixed(0);
}

/** What the fake clock itself costs for as many timers of the same interval. */
function bareTimers(): FakeClock {
  const clock = new FakeClock();
  const tick = () => void clock.setTimer(30_000, tick);
  for (let index = 0; index < LAZY; index++) clock.setTimer(index * 30, tick);
  return clock;
}

/** One manager of lazy connections, through the ticks of some hours; the figures are printed, not compared. */
async function lazyConnections(): Promise<void> {
  if (globalThis.gc === undefined) throw new Error('run with --expose-gc');
  const clock = new FakeClock();
  const before = heapUsed();
  const mgr = managerOf(LAZY, { startup: 'lazy' }, new FakeProvider(), clock);
  await mgr.connect();
  const each = (heapUsed() - before) / LAZY;
  console.log(`### ${LAZY} lazy connections, checked every 30 s\n`);
  console.log(`heap of one: ${(each / 1024).toFixed(1)} KiB\n`);
  console.log('| hour | CPU of the health loop, ms | as many bare timers (control), ms | heap, MiB |');
  console.log('| --- | --- | --- | --- |');
  const control = bareTimers();
  for (let hour = 1; hour <= 4; hour++) {
    const [loop, bare] = [await cpuOf(clock), await cpuOf(control)];
    console.log(`| ${hour} | ${loop} | ${bare} | ${(heapUsed() / 2 ** 20).toFixed(2)} |`);
  }
  await mgr.close();
}

await main([
  {
    title: `start of ${DATABASES} databases that take ${CONNECT_MS} ms each`,
    unit: 'ms',
    better: 'lower',
    against: 'one after the other',
    rounds: 5,
    subjects: [
      { name: 'one after the other', round: () => startTime(oneByOne) },
      { name: 'connect()', round: () => startTime((mgr) => mgr.connect()) },
    ],
  },
]);
await lazyConnections();
