/**
 * Fifty callers at once on five idle connections, where connecting takes long and a query does not: a pool that opens a
 * connection for each caller is slower than one that lets returned connections serve them.
 */
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConnectionFactory, Pool } from '@dbmanager/core';
import { main, type Subject } from './harness.ts';
import { FakePgClient, fakePgPool } from './support/fake-pg-client.ts';
import { poolOptions } from './support/pool-options.ts';

const require = createRequire(import.meta.url);
const { Pool: TarnPool } = require('tarn') as typeof import('tarn');

const CONNECT_MS = 150;
const QUERY_MS = 2;
const IDLE = 5;
const MAX = 50;
const CALLERS = 50;

/** A pool under test; a new one for each round. */
interface Contender {
  readonly name: string;
  /** `connect` waits for as long as a connect takes. */
  open(connect: () => Promise<object>): {
    /** Borrows, runs `work`, gives back. */
    use(work: () => Promise<unknown>): Promise<void>;
    close(): Promise<unknown>;
  };
}

function ours(name: string): Contender {
  return {
    name,
    open(connect) {
      const factory: ConnectionFactory<object> = { create: connect, validate: async () => {}, destroy: async () => {} };
      const pool = new Pool({
        name: 'bench',
        factory,
        options: poolOptions({ maxOpenConns: MAX, maxIdleConns: IDLE }),
      });
      const use = async (work: () => Promise<unknown>) => {
        await using _lease = await pool.acquire();
        await work();
      };
      return { use, close: () => pool.close() };
    },
  };
}

const contenders: readonly Contender[] = [
  ours('dbmanager'),
  {
    name: 'pg-pool',
    open(connect) {
      class Client extends FakePgClient {
        override connect(done: (error?: Error) => void): void {
          void connect().then(() => done());
        }
      }
      const pool = fakePgPool(Client, MAX);
      const use = async (work: () => Promise<unknown>) => {
        const client = await pool.connect();
        await work();
        client.release();
      };
      return { use, close: () => pool.end() };
    },
  },
  {
    name: 'tarn',
    open(connect) {
      const pool = new TarnPool<object>({ create: connect, destroy: async () => {}, min: 0, max: MAX });
      const use = async (work: () => Promise<unknown>) => {
        const connection = await pool.acquire().promise;
        await work();
        pool.release(connection);
      };
      return { use, close: () => pool.destroy() };
    },
  },
  ours('control: dbmanager again'),
];

function subject({ name, open }: Contender): Subject {
  let connections = 0;
  return {
    name,
    async round() {
      connections = 0;
      let connectMs = 0;
      const { use, close } = open(async () => {
        connections++;
        await sleep(connectMs);
        return {};
      });
      // All hold at the same time, so that there are as many idle ones afterwards.
      await Promise.all(Array.from({ length: IDLE }, () => use(() => sleep(20))));
      connectMs = CONNECT_MS;
      const startedAt = performance.now();
      await Promise.all(Array.from({ length: CALLERS }, () => use(() => sleep(QUERY_MS))));
      const tookMs = performance.now() - startedAt;
      await sleep(CONNECT_MS);
      await close();
      return tookMs;
    },
    extra: () => ({ connections }),
  };
}

await main([
  {
    title: `Spike: ${CALLERS} callers, ${IDLE} idle of at most ${MAX}, connect ${CONNECT_MS} ms, query ${QUERY_MS} ms`,
    unit: 'ms',
    better: 'lower',
    against: 'pg-pool',
    subjects: contenders.map(subject),
    rounds: 7,
  },
]);
