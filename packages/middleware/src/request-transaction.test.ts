import { EventEmitter, once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { abortedError, DbManagerError } from '@dbmanager/core';
import type { TransactionOptions } from '@dbmanager/database';
import { FakeClock } from '@dbmanager/testkit';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type Exchange, RequestContext } from './request-context.js';
import { RequestDeadline, signalOf } from './request-deadline.js';
import { RequestError } from './request-error.js';
import { type RequestConnection, RequestTransactions, transactionOf } from './request-transaction.js';

interface FakeTransaction {
  readonly id: number;
}

/** A connection whose every step is at a test's command. */
class FakeConnection implements RequestConnection<FakeTransaction> {
  readonly begun: TransactionOptions[] = [];
  readonly ends: string[] = [];
  /** What BEGIN and COMMIT do. */
  onBegin: () => Promise<void> = async () => undefined;
  onCommit: () => Promise<void> = async () => undefined;

  async transaction<R>(options: TransactionOptions, work: (tx: FakeTransaction) => Promise<R>): Promise<R> {
    this.begun.push(options);
    const { signal } = options;
    if (signal?.aborted === true) throw abortedError(signal);
    const aborted = Promise.withResolvers<never>();
    aborted.promise.catch(() => undefined);
    signal?.addEventListener('abort', () => aborted.reject(abortedError(signal)));
    await this.onBegin();
    try {
      const result = await Promise.race([work({ id: this.begun.length }), aborted.promise]);
      await this.onCommit();
      this.ends.push('commit');
      return result;
    } catch (error) {
      this.ends.push('rollback');
      throw error;
    }
  }

  begin(): Promise<FakeTransaction> {
    throw new Error('requests begin none by hand');
  }
}

describe('the transaction of a request', () => {
  let connection: FakeConnection;
  let clock: FakeClock;
  let server: Server;
  /** What `run` has rejected with. */
  let failure: PromiseWithResolvers<unknown>;

  type Handle = (response: ServerResponse, exchange: Exchange) => Promise<unknown>;

  /** Answers as Express does: the transaction knows of the handler only what that sends. */
  async function ask(handle: Handle, ...transactions: RequestTransactions<FakeTransaction>[]) {
    const deadline = new RequestDeadline({ timeout: '1s', clock });
    server.once('request', (request, response) => {
      const exchange = { request, response };
      deadline.start(exchange);
      const run = transactions.reduceRight<() => Promise<unknown>>(
        (inner, each) => () =>
          each.run(exchange, (asked) => {
            void inner();
            return asked;
          }),
        () => handle(response, exchange),
      );
      run().catch((error: unknown) => {
        failure.resolve(error);
        // What an error handler does.
        if (!RequestContext.of(exchange).gate.shut) response.writeHead(500).end('error handler');
      });
    });
    const { port } = server.address() as AddressInfo;
    const response = await fetch(`http://127.0.0.1:${port}`);
    return { status: response.status, body: await response.text() };
  }

  const transactions = (options?: object, on = connection) => new RequestTransactions(on, options);

  beforeEach(async () => {
    connection = new FakeConnection();
    clock = new FakeClock();
    failure = Promise.withResolvers();
    server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
  });

  afterEach(async () => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
    expect(clock.pendingTimers).toBe(0);
  });

  it('passes on what it was asked for, with the signal of the request', async () => {
    const answer = await ask(
      async (response, { request }) => {
        expect(transactionOf(request, connection)).toEqual({ id: 1 });
        expect(connection.begun[0]?.signal).toBe(signalOf(request));
        response.end('ok');
      },
      transactions({ isolation: 'serializable', timeout: '2s', readOnly: 'safe' }),
    );
    expect(answer).toEqual({ status: 200, body: 'ok' });
    expect(connection.begun[0]).toMatchObject({ isolation: 'serializable', timeout: '2s', readOnly: true });
  });

  it('lets nothing leave before COMMIT has come back', async () => {
    const committing = Promise.withResolvers<void>();
    const commit = Promise.withResolvers<void>();
    connection.onCommit = () => {
      committing.resolve();
      return commit.promise;
    };
    let held: ServerResponse | undefined;
    const answer = ask(async (response) => {
      held = response;
      response.end('ok');
    }, transactions());
    await committing.promise;
    expect([held?.headersSent, held?.writableEnded]).toEqual([false, false]);
    commit.resolve();
    await expect(answer).resolves.toEqual({ status: 200, body: 'ok' });
  });

  it('whose COMMIT is under way at the deadline gives the answer that COMMIT decides on', async () => {
    connection.onCommit = () => clock.advance(1_000);
    const answer = await ask(async (response) => response.end('ok'), transactions());
    expect(answer).toEqual({ status: 200, body: 'ok' });

    connection.onCommit = async () => {
      await clock.advance(1_000);
      throw new DbManagerError('DBM_COMMIT_UNKNOWN', 'lost');
    };
    const failed = await ask(async (response) => response.end('ok'), transactions());
    expect(failed).toEqual({ status: 500, body: 'error handler' });
    await expect(failure.promise).resolves.toMatchObject({ code: 'DBM_COMMIT_UNKNOWN' });
  });

  it('that waits for a connection at the deadline is given up, and its handler never called', async () => {
    const waiting = Promise.withResolvers<void>();
    connection.onBegin = async () => {
      const { signal } = connection.begun[0] ?? {};
      const aborted = signal === undefined ? undefined : once(signal, 'abort');
      waiting.resolve();
      await aborted;
      throw new DbManagerError('DBM_ABORTED', 'aborted by the caller');
    };
    let called = false;
    const answer = ask(async () => {
      called = true;
    }, transactions());
    await waiting.promise;
    await clock.advance(1_000);
    await expect(answer).resolves.toEqual({ status: 503, body: '{"error":"DBM_REQUEST_TIMEOUT"}\n' });
    await expect(failure.promise).resolves.toMatchObject({ code: 'DBM_REQUEST_TIMEOUT', status: 503 });
    expect(called).toBe(false);
  });

  it('is not begun for a client that hung up while a middleware before it was waiting', async () => {
    const arrived = once(server, 'request');
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    client.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n');
    const [request, response] = await arrived;
    const closed = once(response, 'close');
    client.destroy();
    await closed;
    const exchange: Exchange = { request, response };
    new RequestDeadline({ timeout: '1s', clock }).start(exchange);
    let called = false;
    const run = transactions().run(exchange, async () => {
      called = true;
    });
    await expect(run).rejects.toMatchObject({ code: 'DBM_ABORTED', status: 499 });
    expect(called).toBe(false);
  });

  it('that cannot be begun is an error like any other, and its handler never called', async () => {
    connection.onBegin = async () => {
      throw new DbManagerError('DBM_ACQUIRE_TIMEOUT', 'no connection');
    };
    const answer = await ask(async () => expect('called').toBe('never'), transactions());
    expect(answer).toEqual({ status: 500, body: 'error handler' });
    await expect(failure.promise).resolves.toMatchObject({ code: 'DBM_ACQUIRE_TIMEOUT' });
  });

  it('that is over while the handler runs is answered in its place, and what that sends later is dropped', async () => {
    const over = Promise.withResolvers<never>();
    const dropped = Promise.withResolvers<void>();
    connection.transaction = (_options, work) => Promise.race([work({ id: 1 }), over.promise]);
    const answer = await ask(async (response) => {
      over.reject(new DbManagerError('DBM_TRANSACTION_TIMEOUT', 'too slow'));
      await failure.promise;
      response.setHeader('X-Late', 'yes');
      response.end('late', () => dropped.resolve());
    }, transactions());
    expect(answer).toEqual({ status: 503, body: '{"error":"DBM_TRANSACTION_TIMEOUT"}\n' });
    await dropped.promise;
  });

  it('that cannot be committed while the handler is sending is answered in its place, too', async () => {
    connection.onCommit = async () => {
      throw new DbManagerError('DBM_FOREIGN_KEY_VIOLATION', 'refused');
    };
    const answer = await ask(async (response) => {
      response.write('begun');
      await failure.promise;
      response.end('late');
    }, transactions());
    expect(answer).toEqual({ status: 500, body: '{"error":"DBM_FOREIGN_KEY_VIOLATION"}\n' });
  });

  it('is begun once where it is mounted twice', async () => {
    await expect(ask(async (response) => response.end('ok'), transactions(), transactions())).resolves.toMatchObject({
      status: 200,
    });
    expect(connection.begun).toHaveLength(1);
    expect(connection.ends).toEqual(['commit']);
  });

  it('is one for each connection; the answer waits for both, and a failure of either is the answer', async () => {
    const other = new FakeConnection();
    const both = () => [transactions(), transactions({}, other)];
    const handle: Handle = async (response, { request }) => {
      expect(transactionOf(request, other)).toEqual({ id: other.begun.length });
      response.end('ok');
    };
    await expect(ask(handle, ...both())).resolves.toEqual({ status: 200, body: 'ok' });
    connection.onCommit = async () => {
      throw new DbManagerError('DBM_FOREIGN_KEY_VIOLATION', 'refused');
    };
    await expect(ask(handle, ...both())).resolves.toEqual({ status: 500, body: 'error handler' });
    expect([connection.ends, other.ends]).toEqual([
      ['commit', 'rollback'],
      ['commit', 'commit'],
    ]);
  });

  it.each([
    ['isolation', { isolation: 'serialisable' }],
    ['timeout', { timeout: 'soon' }],
    ['timeout', { timeout: Number.NaN }],
    ['readOnly', { readOnly: 'yes' }],
    ['deferrable', { deferrable: 1 }],
    ['propagation', { propagation: 'never' }],
    ['readonly', { readonly: true }],
    ['retry', { retry: 3 }],
    ['signal', { signal: new AbortController().signal }],
    ['options', null],
    ['options', 'serializable'],
  ])('is refused when it is mounted with a %s that cannot be meant (%#)', (option, options) => {
    expect(() => transactions(options as object)).toThrow(
      expect.objectContaining({ code: 'DBM_INVALID_OPTION', option }),
    );
  });

  it.each([undefined, null, 'shop', {}])('is refused when it is mounted on %p, which is no connection', (on) => {
    expect(() => new RequestTransactions(on as never)).toThrow(
      expect.objectContaining({ code: 'DBM_INVALID_OPTION', option: 'connection' }),
    );
  });

  it('is not there where no middleware was mounted', () => {
    expect(() => transactionOf({}, connection)).toThrow(expect.objectContaining({ code: 'DBM_UNSUPPORTED' }));
    expect(() => signalOf({})).toThrow(expect.objectContaining({ code: 'DBM_UNSUPPORTED' }));
  });
});

describe('a request that is called off', () => {
  const gone = new RequestError('DBM_ABORTED', 499, 'gone');
  const contextOf = () => {
    const response = Object.assign(new EventEmitter(), { getHeaders: () => ({}), destroyed: true });
    return RequestContext.of({ request: {}, response } as unknown as Exchange);
  };

  it('does not wait for its handler', async () => {
    const context = contextOf();
    const raced = context.race(new Promise(() => {}));
    context.callOff(gone);
    await expect(raced).rejects.toBe(gone);
    expect(context.signal.reason).toBe(gone);
  });

  it('waits for it while a COMMIT decides on the answer', async () => {
    const context = contextOf();
    const committed = context.committing();
    context.callOff(gone);
    expect([context.signal.aborted, context.gate.shut]).toEqual([true, false]);
    await expect(context.race(Promise.resolve('answered'))).resolves.toBe('answered');
    committed();
  });
});

describe('a deadline', () => {
  it.each([
    ['timeout', { timeout: 0 }],
    ['timeout', { timeout: 'soon' }],
    ['timeout', { timeout: Number.NaN }],
    ['timeout', { timeout: Number.POSITIVE_INFINITY }],
    ['timeout', { timeout: true }],
    ['timeout', {}],
    ['status', { timeout: '5s', status: 200 }],
    ['statusCode', { timeout: '5s', statusCode: 504 }],
    ['options', undefined],
  ])('is refused with a %s that means nothing (%#)', (option, options) => {
    expect(() => new RequestDeadline(options as never)).toThrow(
      expect.objectContaining({ code: 'DBM_INVALID_OPTION', option }),
    );
  });
});
