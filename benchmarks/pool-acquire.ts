/**
 * Acquire and release on a fake provider: what the pool itself costs, with every feature in place. One caller alone, and
 * a hundred callers on ten connections, where most acquires queue.
 */
import { createRequire } from 'node:module';
import { type ConnectionFactory, Pool } from '@dbmanager/core';
import { type Comparison, main, type Subject } from './harness.ts';
import { FakePgClient, fakePgPool } from './support/fake-pg-client.ts';
import { poolOptions } from './support/pool-options.ts';

const require = createRequire(import.meta.url);
const genericPool = require('generic-pool') as typeof import('generic-pool');
const { Pool: TarnPool } = require('tarn') as typeof import('tarn');

const MAX = 10;
const CYCLES = 200_000;

/** One acquire and release. */
type Cycle = () => Promise<void>;

/** A pool of any library, as the benchmark sees it. */
interface Contender {
  readonly name: string;
  open(): { cycle: Cycle; close(): Promise<unknown> };
}

const fakeFactory: ConnectionFactory<object> = {
  create: async () => ({}),
  validate: async () => {},
  isDirty: () => false,
  clean: async () => {},
  destroy: async () => {},
  judge: () => 'harmless',
};

function ours(name: string): Contender {
  return {
    name,
    open() {
      const options = poolOptions({ maxOpenConns: MAX, maxIdleConns: MAX });
      const pool = new Pool({ name: 'bench', factory: fakeFactory, options });
      const cycle = async () => {
        const lease = await pool.acquire();
        lease.release();
      };
      return { cycle, close: () => pool.close() };
    },
  };
}

const contenders: readonly Contender[] = [
  ours('dbmanager'),
  {
    name: 'generic-pool',
    open() {
      const pool = genericPool.createPool({ create: async () => ({}), destroy: async () => {} }, { max: MAX });
      const cycle = async () => {
        const connection = await pool.acquire();
        void pool.release(connection);
      };
      return { cycle, close: () => pool.drain().then(() => pool.clear()) };
    },
  },
  {
    name: 'pg-pool',
    open() {
      const pool = fakePgPool(FakePgClient, MAX);
      const cycle = async () => {
        const client = await pool.connect();
        client.release();
      };
      return { cycle, close: () => pool.end() };
    },
  },
  {
    name: 'tarn',
    open() {
      const pool = new TarnPool<object>({ create: async () => ({}), destroy: async () => {}, min: 0, max: MAX });
      const cycle = async () => {
        const connection = await pool.acquire().promise;
        pool.release(connection);
      };
      return { cycle, close: () => pool.destroy() };
    },
  },
  // The same again: how far two rows of the same thing are apart is how far a difference can be trusted.
  ours('control: dbmanager again'),
  {
    // The least any promise-based pool can cost.
    name: 'floor: array and promise',
    open() {
      const idle: object[] = [{}];
      const cycle = async () => {
        const connection = (await Promise.resolve(idle.pop())) as object;
        idle.push(connection);
      };
      return { cycle, close: async () => {} };
    },
  },
];

function subject({ name, open }: Contender, callers: number): Subject {
  let opened: ReturnType<Contender['open']>;
  return {
    name,
    async start() {
      opened = open();
      await run(opened.cycle, callers, 1_000);
    },
    async round() {
      const startedAt = performance.now();
      await run(opened.cycle, callers, CYCLES);
      return ((performance.now() - startedAt) * 1_000) / CYCLES;
    },
    stop: async () => {
      await opened.close();
    },
  };
}

/** `cycles` in all, by `callers` at once. */
async function run(cycle: Cycle, callers: number, cycles: number): Promise<void> {
  const each = async () => {
    for (let done = 0; done < cycles / callers; done++) await cycle();
  };
  await Promise.all(Array.from({ length: callers }, each));
}

function comparison(title: string, callers: number): Comparison {
  return {
    title,
    unit: 'µs',
    better: 'lower',
    against: 'generic-pool',
    subjects: contenders.map((contender) => subject(contender, callers)),
    rounds: 9,
    warmUps: 2,
  };
}

await main([
  comparison('Acquire + release, one caller', 1),
  comparison(`Acquire + release, 100 callers on ${MAX} connections`, 100),
]);
