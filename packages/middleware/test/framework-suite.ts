import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { Readable } from 'node:stream';
import { signalOf, TenantsByHost, transactionOf } from '@dbmanager/middleware';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type Connection, ConnectionManager, type ConnectionTransaction, type Database } from 'dbmanager';
import {
  ALL_SQL_ENGINES,
  POSTGRES,
  rejection,
  SQLITE,
  type SqlDatabase,
  type SqlTestEngine,
  type TestServer,
  until,
} from '../../../test/support/sql-engines.js';
import { type Call, type Framework, type Route, type RunningApplication, TENANTS } from './framework.js';
import { HeldTimers } from './held-timers.js';

const CHUNK = 'x'.repeat(64 * 1_024);
const CHUNKS = 40;

/** Of limits and deadlines, which go off when told. */
const LIMIT_MS = 424_242;

/** Whose foreign keys can wait for COMMIT. */
const DEFERRING: readonly SqlTestEngine[] = [SQLITE, POSTGRES];

/** What every framework owes a request, over real sockets. */
export function runFrameworkSuite(framework: Framework): void {
  for (const engine of ALL_SQL_ENGINES) {
    engine.describe(`a request of ${framework.name}`, () => {
      let files: SqlDatabase;
      let manager: ConnectionManager;
      let connection: Connection;
      let running: RunningApplication;
      /** Told by handlers that have come as far as they go. */
      let reached: PromiseWithResolvers<Call>;
      /** What a handler's last statement was refused with. */
      let refusals: PromiseWithResolvers<Error & { readonly code?: string }>;
      const clock = new HeldTimers(LIMIT_MS);
      const tenants = new TenantsByHost(async (host) => (host === 'a.example' ? { id: 'a' } : undefined));

      const insert = (id: number) => connection.knex()('items').insert({ id });
      const insertFor = (request: object, id: number) =>
        transactionOf(request, connection).execute('insert into items (id) values (?)', [id]);
      const ids = async () => {
        const rows = await connection.database().query<{ id: number }>('select id from items order by id');
        return rows.map(({ id }) => id);
      };
      /** Ways to have COMMIT fail, each with what has to happen before. */
      const spoilers = new Map<string, (request: object) => Promise<unknown>>();
      if (DEFERRING.includes(engine)) {
        spoilers.set('a row that it does not take', () => connection.knex()('parts').insert({ id: 1, item: 99 }));
      }
      if (engine.server !== undefined) {
        const { server } = engine;
        spoilers.set('the loss of its connection', (request) => lose(transactionOf(request, connection), server));
      }
      let spoil: (request: object) => Promise<unknown>;
      const never = async (call: Call, id: number) => {
        await insertFor(call.request, id);
        reached.resolve(call);
        await new Promise((resolve) => signalOf(call.request).addEventListener('abort', resolve));
        refusals.resolve(await rejection(insertFor(call.request, id + 1)));
        return { body: { late: true } };
      };

      const routes: readonly Route[] = [
        {
          method: 'post',
          path: '/ambient',
          transaction: { isolation: 'serializable' },
          async handle() {
            await insert(1);
            return { status: 201, body: { outside: await outside() } };
          },
        },
        {
          method: 'post',
          path: '/explicit',
          transaction: {},
          async handle({ request }) {
            await insertFor(request, 1);
            return { status: 201, body: { name: transactionOf(request, connection).name } };
          },
        },
        {
          method: 'post',
          path: '/none',
          async handle() {
            await insert(1);
            return { status: 404, body: { kept: true } };
          },
        },
        {
          method: 'post',
          path: '/throws',
          transaction: {},
          async handle() {
            await insert(1);
            throw new Error('the handler failed');
          },
        },
        {
          method: 'post',
          path: '/forgiven',
          transaction: {},
          async handle() {
            await insert(1);
            throw Object.assign(new Error('of no consequence'), { status: 200, statusCode: 200, expose: true });
          },
        },
        {
          method: 'post',
          path: '/conflict',
          transaction: {},
          async handle() {
            await insert(1);
            return { status: 409, body: { conflict: true } };
          },
        },
        {
          method: 'post',
          path: '/spoilt',
          transaction: {},
          async handle({ request }) {
            await spoil(request);
            return { body: { secret: 'of the handler' } };
          },
        },
        {
          method: 'post',
          path: '/direct',
          transaction: {},
          direct: true,
          async handle({ raw: { response } }) {
            await insert(1);
            response.writeHead(202, { 'Content-Type': 'text/plain', 'X-Direct': 'yes' });
            for (let i = 0; i < CHUNKS; i++) if (!response.write(CHUNK)) await once(response, 'drain');
            response.end();
            return undefined;
          },
        },
        {
          method: 'post',
          path: '/stream',
          transaction: {},
          async handle({ request }) {
            await insertFor(request, 1);
            return { body: Readable.from(Array.from({ length: CHUNKS }, () => CHUNK)) };
          },
        },
        {
          method: 'post',
          path: '/direct-spoilt-ended',
          transaction: {},
          direct: true,
          async handle({ request, raw: { response } }) {
            await spoil(request);
            response.statusCode = 200;
            response.end('secret of the handler');
            return undefined;
          },
        },
        {
          method: 'post',
          path: '/direct-spoilt',
          transaction: {},
          direct: true,
          async handle({ request, raw: { response } }) {
            await spoil(request);
            response.statusCode = 200;
            response.write('secret');
            await new Promise((resolve) => response.write('of the handler', resolve));
            response.end();
            return undefined;
          },
        },
        ...(['get', 'post'] as const).map(
          (method): Route => ({
            method,
            path: '/safe',
            transaction: { readOnly: 'safe' },
            async handle({ request }) {
              await insertFor(request, 1);
              return { status: 201, body: {} };
            },
          }),
        ),
        { method: 'post', path: '/never', transaction: {}, handle: (call) => never(call, 1) },
        {
          method: 'post',
          path: '/deadline',
          transaction: {},
          deadline: { timeout: LIMIT_MS, clock },
          handle: (call) => never(call, 1),
        },
        {
          method: 'post',
          path: '/deadline-only',
          deadline: { timeout: LIMIT_MS, clock, status: 504 },
          async handle({ request }) {
            const signal = signalOf(request);
            reached.resolve({ request } as Call);
            await new Promise((resolve) => signal.addEventListener('abort', resolve));
            const error = await rejection(connection.database().withContext(signal).query('select 1'));
            refusals.resolve(error);
            throw error;
          },
        },
        {
          method: 'post',
          path: '/limit',
          transaction: { timeout: LIMIT_MS },
          async handle(call) {
            await insertFor(call.request, 1);
            reached.resolve(call);
            return new Promise(() => {});
          },
        },
        {
          method: 'get',
          path: `${TENANTS}/name`,
          async handle({ request }) {
            return { body: tenants.of(request) };
          },
        },
      ];

      /** Has the server end the connection of a transaction that has written, and waits until it has. */
      async function lose(tx: ConnectionTransaction, server: TestServer): Promise<void> {
        const othersThan = async (db: Pick<Database, 'query'>) => {
          const rows = await db.query<{ id: unknown }>(server.others);
          return rows.map(({ id }) => Number(id));
        };
        await tx.execute('insert into items (id) values (1)');
        const reader = manager.get('reader').database();
        const all = await othersThan(reader);
        const others = await othersThan(tx);
        const own = all.filter((id) => !others.includes(id));
        for (const id of own) await reader.execute(server.kill(id));
        while ((await othersThan(reader)).some((id) => own.includes(id)));
      }

      /** What those see who are not in the transaction. */
      async function outside(): Promise<number[]> {
        const reader = manager.get('reader');
        const rows = await reader.database().query<{ id: number }>('select id from items order by id');
        return rows.map(({ id }) => id);
      }

      const url = (path: string) => {
        const { port } = running.server.address() as AddressInfo;
        return `http://127.0.0.1:${port}${path}`;
      };
      const post = (path: string) => fetch(url(path), { method: 'POST' });
      /** How transactions have ended since the test began. */
      const outcomes = () => {
        const { committed, rolled_back, failed, unknown } = connection.stats().transactions.outcomes;
        return {
          committed: committed - before.committed,
          rolled_back: rolled_back - before.rolled_back,
          // Whether a connection was lost before COMMIT or in it is not always known.
          failed: failed + unknown - before.failed - before.unknown,
        };
      };
      let before = { committed: 0, rolled_back: 0, failed: 0, unknown: 0 };

      /** What is answered when the handler has come as far as it goes, and the time then passes. */
      const whenLate = async (path: string) => {
        const answer = post(path);
        await reached.promise;
        clock.fire();
        return answer;
      };

      async function open(ambientTransactions: boolean): Promise<void> {
        const config = files.config({ maxOpenConns: 4 });
        const connections = [config, { ...files.config({ maxOpenConns: 2 }), name: 'reader' }];
        manager = new ConnectionManager({ defaultConnection: 'test', connections }, { ambientTransactions, clock });
        await manager.connect();
        connection = manager.get('test');
        running = await framework.serve({ manager, connection, routes, tenants });
      }

      async function close(): Promise<void> {
        await running.close();
        await manager.close();
        const { created, destroyed } = connection.stats().pool;
        expect(created).toBe(destroyed);
      }

      beforeAll(async () => {
        files = await engine.create();
        await open(true);
        const db = connection.database();
        await db.execute('create table items (id integer primary key)');
        if (!DEFERRING.includes(engine)) return;
        await db.execute(
          'create table parts (id integer primary key, item integer references items (id) deferrable initially deferred)',
        );
      });

      afterAll(async () => {
        await close();
        await files.drop();
      });

      beforeEach(async () => {
        reached = Promise.withResolvers();
        refusals = Promise.withResolvers();
        await connection.database().execute('delete from items');
        before = connection.stats().transactions.outcomes;
      });

      // Whatever happened to a request, its connection is given back.
      afterEach(() => until(() => connection.counts.inUse === 0 && connection.counts.pending === 0));

      describe('seeds 2: Transaction middleware: a transaction for it', () => {
        it('is ambient, seen by nobody else before it is committed, and committed when the answer comes', async () => {
          const response = await post('/ambient');
          expect(response.status).toBe(201);
          await expect(response.json()).resolves.toEqual({ outside: [] });
          await expect(outside()).resolves.toEqual([1]);
          expect(outcomes()).toMatchObject({ committed: 1 });
        });

        it('is handed over where transactions are not ambient', async () => {
          await close();
          await open(false);
          const response = await post('/explicit');
          await expect(response.json()).resolves.toEqual({ name: 'test' });
          await expect(ids()).resolves.toEqual([1]);
          expect(connection.stats().transactions.outcomes.committed).toBe(1);
          await close();
          await open(true);
        });

        it('is only where it was mounted', async () => {
          const response = await post('/none');
          expect(response.status).toBe(404);
          await expect(ids()).resolves.toEqual([1]);
          expect(outcomes()).toMatchObject({ committed: 0, rolled_back: 0 });
        });

        it('is rolled back when the handler throws: no rows', async () => {
          const response = await post('/throws');
          expect(response.status).toBe(500);
          await expect(ids()).resolves.toEqual([]);
          expect(outcomes()).toMatchObject({ committed: 0, rolled_back: 1 });
        });

        const forgiven = framework.tellsOfErrors ? 'rolled back' : 'committed, as nobody tells of the error,';
        it(`is ${forgiven} when an error handler answers below 400`, async () => {
          expect((await post('/forgiven')).status).toBe(200);
          await expect(ids()).resolves.toEqual(framework.tellsOfErrors ? [] : [1]);
        });

        it('is rolled back when the status is 400 or more, and the answer is as the handler gave it', async () => {
          const response = await post('/conflict');
          expect(response.status).toBe(409);
          await expect(response.json()).resolves.toEqual({ conflict: true });
          await expect(ids()).resolves.toEqual([]);
          expect(outcomes()).toMatchObject({ committed: 0, rolled_back: 1 });
        });

        for (const [what, way] of spoilers) {
          describe(`whose COMMIT fails for ${what}`, () => {
            beforeEach(() => {
              spoil = way;
            });

            it('is answered 500 by the error handler, without a byte of the handler', async () => {
              const response = await post('/spoilt');
              expect(response.status).toBe(500);
              const body = await response.text();
              expect(body).not.toContain('secret');
              expect(body).toMatch(/handled|Internal server error/);
              expect(outcomes()).toMatchObject({ committed: 0, failed: 1 });
              await expect(ids()).resolves.toEqual([]);
            });

            it('is answered 500 also where the handler writes to the socket', async () => {
              for (const path of ['/direct-spoilt', '/direct-spoilt-ended']) {
                const response = await post(path);
                expect(response.status).toBe(500);
                await expect(response.text()).resolves.not.toContain('secret');
              }
              expect(outcomes()).toMatchObject({ committed: 0, failed: 2 });
              await expect(ids()).resolves.toEqual([]);
            });
          });
        }

        it('holds back what is written to the socket until it is committed, and all of it comes after', async () => {
          const response = await post('/direct');
          expect([response.status, response.headers.get('x-direct')]).toEqual([202, 'yes']);
          await expect(outside()).resolves.toEqual([1]);
          await expect(response.text()).resolves.toBe(CHUNK.repeat(CHUNKS));
        });

        it('is committed before a stream begins, all of which comes', async () => {
          const response = await post('/stream');
          await expect(outside()).resolves.toEqual([1]);
          await expect(response.text()).resolves.toBe(CHUNK.repeat(CHUNKS));
          expect(outcomes()).toMatchObject({ committed: 1 });
        });

        it('is rolled back when the client hangs up', async () => {
          const { port } = running.server.address() as AddressInfo;
          const client = connect(port, '127.0.0.1');
          client.write('POST /never HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n');
          await reached.promise;
          client.destroy();
          expect((await refusals.promise).code).toMatch(/^DBM_(ABORTED|LEASE_RELEASED)$/);
          await until(() => outcomes().rolled_back === 1);
          await expect(ids()).resolves.toEqual([]);
        });

        it('is read-only for a method that changes nothing, if asked', async () => {
          expect((await fetch(url('/safe'))).status).toBe(500);
          await expect(ids()).resolves.toEqual([]);
          expect((await post('/safe')).status).toBe(201);
          await expect(ids()).resolves.toEqual([1]);
        });

        it('has its own limit, at which a handler that never answers is answered for', async () => {
          const response = await whenLate('/limit');
          expect(response.status).toBe(503);
          await expect(response.json()).resolves.toEqual({ error: 'DBM_TRANSACTION_TIMEOUT' });
          await expect(ids()).resolves.toEqual([]);
        });
      });

      describe('has a deadline that', () => {
        it('answers for a handler that never does, rolls back and gives the connection back', async () => {
          const response = await whenLate('/deadline');
          expect(response.status).toBe(503);
          await expect(response.json()).resolves.toEqual({ error: 'DBM_REQUEST_TIMEOUT' });
          expect((await refusals.promise).code).toMatch(/^DBM_(ABORTED|LEASE_RELEASED)$/);
          await until(() => connection.counts.inUse === 0);
          await expect(ids()).resolves.toEqual([]);
          expect(outcomes()).toMatchObject({ committed: 0, rolled_back: 1 });
          await until(() => clock.pending === 0);
        });

        it('ends statements that go by the signal, and answers with the status that it was given', async () => {
          const response = await whenLate('/deadline-only');
          expect(response.status).toBe(504);
          await expect(refusals.promise).resolves.toMatchObject({ code: 'DBM_ABORTED' });
        });
      });

      it('has the tenant of its host, or is answered 404 or 400', async () => {
        await expect(askAt('A.Example:8080')).resolves.toMatch(/^HTTP\/1.1 200 [\s\S]*{"id":"a"}/);
        await expect(askAt('b.example')).resolves.toMatch(/^HTTP\/1.1 404 /);
        await expect(askAt("a.example' or 1=1")).resolves.toMatch(/^HTTP\/1.1 400 /);
        await expect(askAt('a.example\r\nHost: a.example')).resolves.toMatch(/^HTTP\/1.1 400 /);
      });

      it('for health and metrics is answered by the endpoints mounted in the same server', async () => {
        const [ready, metrics] = await Promise.all(
          ['/health/ready', '/metrics'].map((path) => fetch(url(framework.prefix + path))),
        );
        expect([ready?.status, ready?.headers.get('cache-control')]).toEqual([200, 'no-store']);
        await expect(ready?.json()).resolves.toMatchObject({ status: 'ready' });
        expect(metrics?.headers.get('content-type')).toMatch(/^text\/plain; version=/);
        await expect(metrics?.text()).resolves.toContain('dbmanager_connection_pool_size');
      });

      /** All of an answer to a request with that Host header. */
      async function askAt(host: string): Promise<string> {
        const { port } = running.server.address() as AddressInfo;
        const client = connect(port, '127.0.0.1').setEncoding('utf8');
        client.write(`GET ${TENANTS}/name HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
        let answer = '';
        for await (const chunk of client) answer += chunk;
        return answer;
      }
    });
  }
}

/** Checked when this compiles: the transaction of a connection has the type of that connection's transactions. */
export function typed(request: object, connection: Connection): ConnectionTransaction {
  return transactionOf(request, connection);
}
