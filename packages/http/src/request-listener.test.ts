import { createServer, request as httpRequest, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DbManagerError, type ManagerStats } from '@dbmanager/core';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type SampleConnection, sampleStats } from '../../../test/support/sample-stats.js';
import { createRequestListener, type EndpointOptions, type RequestListener } from './index.js';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const servers: Server[] = [];

async function serve(listener: RequestListener): Promise<number> {
  const server = createServer((request, response) => listener(request, response));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function ask(port: number, path: string, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, path, method, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    request.on('error', reject);
    request.end();
  });
}

/** The answer of a listener on a manager with these connections. */
async function answerOf(
  path: string,
  connections: Readonly<Record<string, SampleConnection>>,
  options: Partial<EndpointOptions> & { readonly method?: string } = {},
): Promise<Answer> {
  const { method, ...rest } = options;
  const port = await serve(createRequestListener({ manager: { stats: () => sampleStats(connections) }, ...rest }));
  return ask(port, path, method);
}

const down = (startup: 'required' | 'optional' | 'lazy', error?: Error): SampleConnection => ({
  health: { startup, state: 'degraded', status: 'unhealthy', error },
});

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

describe('GET /health', () => {
  it('reports every connection in JSON', async () => {
    const answer = await answerOf('/health', { primary: { type: 'postgres', pool: { open: 3, inUse: 2 } } });
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
    });
    expect(JSON.parse(answer.body)).toEqual({
      status: 'healthy',
      connections: [
        {
          name: 'primary',
          type: 'postgres',
          startup: 'required',
          state: 'ready',
          status: 'healthy',
          saturated: false,
          suspended: false,
          latencyMs: 1.5,
          checkedAt: '2025-01-02T03:04:05.000Z',
          lastSuccessAt: '2025-01-02T03:04:05.000Z',
          consecutiveFailures: 0,
          errorCode: null,
          pool: { max: 25, open: 3, idle: 1, inUse: 2, pending: 0 },
        },
      ],
    });
  });

  it('writes null for what is not known yet', async () => {
    const unknown = { latencyMs: undefined, checkedAt: undefined, lastSuccessAt: undefined };
    const { body } = await answerOf('/health', { primary: { health: unknown } });
    expect(JSON.parse(body).connections[0]).toMatchObject({ latencyMs: null, checkedAt: null, lastSuccessAt: null });
  });

  it('answers 503 when a required database is down', async () => {
    const answer = await answerOf('/health', { primary: down('required'), cache: {} });
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.body).status).toBe('unhealthy');
  });

  it('answers 200 and degraded when only an optional one is down', async () => {
    const answer = await answerOf('/health', { primary: {}, reports: down('optional') });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body).status).toBe('degraded');
  });

  it('tells the code of an error and nothing of its text', async () => {
    const cause = new DbManagerError('DBM_AUTH_FAILED', 'password "hunter2" refused by db.internal');
    const error = new DbManagerError('DBM_HEALTH_CHECK_FAILED', `health check failed: ${cause.message}`, { cause });
    const { body } = await answerOf('/health', {
      primary: down('required', error),
      second: down('required', new Error('hunter2')),
      third: down('required', new DbManagerError('DBM_HEALTH_CHECK_TIMEOUT', 'hunter2', { cause })),
    });
    expect(body).not.toMatch(/hunter2|internal/);
    expect(JSON.parse(body).connections.map((each: { errorCode: string }) => each.errorCode)).toEqual([
      'DBM_AUTH_FAILED',
      'UNKNOWN',
      'DBM_HEALTH_CHECK_TIMEOUT',
    ]);
  });
});

describe('GET /health/live', () => {
  it('answers 200 for as long as the process serves, whatever the databases do', async () => {
    const answer = await answerOf('/health/live', { primary: down('required') }, { shutdown: AbortSignal.abort() });
    expect([answer.status, JSON.parse(answer.body)]).toEqual([200, { status: 'live' }]);
  });
});

describe('GET /health/ready', () => {
  it('answers 200 when all is well', async () => {
    const answer = await answerOf('/health/ready', { primary: {} });
    expect([answer.status, JSON.parse(answer.body)]).toEqual([200, { status: 'ready', shuttingDown: false, down: [] }]);
  });

  it('answers 503 and names the required database that is down', async () => {
    const error = new DbManagerError('DBM_CONNECT_FAILED', 'refused');
    const answer = await answerOf('/health/ready', { primary: down('required', error), cache: {} });
    expect([answer.status, JSON.parse(answer.body)]).toEqual([
      503,
      {
        status: 'unready',
        shuttingDown: false,
        down: [{ name: 'primary', state: 'degraded', errorCode: 'DBM_CONNECT_FAILED' }],
      },
    ]);
  });

  it.each(['registered', 'connecting', 'degraded', 'closing', 'closed', 'failed'] as const)(
    'is unready while a required one is %s',
    async (state) => {
      const status = state === 'registered' ? 'unknown' : 'disconnected';
      expect((await answerOf('/health/ready', { primary: { health: { state, status } } })).status).toBe(503);
    },
  );

  it('is never unready because of an optional one', async () => {
    expect((await answerOf('/health/ready', { primary: {}, reports: down('optional') })).status).toBe(200);
  });

  it('takes a lazy one that nobody has used for ready, and one that was opened and is down for unready', async () => {
    const unused: SampleConnection = { health: { startup: 'lazy', state: 'registered', status: 'unknown' } };
    expect((await answerOf('/health/ready', { archive: unused })).status).toBe(200);
    expect((await answerOf('/health/ready', { archive: down('lazy') })).status).toBe(503);
  });

  it('takes a busy or suspended one for ready', async () => {
    const busy: SampleConnection = { health: { saturated: true, suspended: true } };
    expect((await answerOf('/health/ready', { primary: busy })).status).toBe(200);
  });

  it('turns 503 at shutdown although every database is well, and back with the database without a restart', async () => {
    const shutdown = new AbortController();
    let current: ManagerStats = sampleStats({ primary: down('required') });
    const port = await serve(createRequestListener({ manager: { stats: () => current }, shutdown: shutdown.signal }));
    expect((await ask(port, '/health/ready')).status).toBe(503);
    current = sampleStats({ primary: {} });
    expect((await ask(port, '/health/ready')).status).toBe(200);
    shutdown.abort();
    const answer = await ask(port, '/health/ready');
    expect([answer.status, JSON.parse(answer.body)]).toEqual([
      503,
      { status: 'unready', shuttingDown: true, down: [] },
    ]);
  });
});

describe('GET /metrics', () => {
  const metrics = { contentType: 'text/plain; version=0.0.4', scrape: async () => 'ä_total 1\n' };

  it('sends the scrape with its content type and length in bytes', async () => {
    const answer = await answerOf('/metrics', {}, { metrics });
    expect(answer).toMatchObject({ status: 200, body: 'ä_total 1\n' });
    expect(answer.headers).toMatchObject({ 'content-type': metrics.contentType, 'content-length': '11' });
  });

  it('answers 500 with the code alone when the scrape fails', async () => {
    const failing = { contentType: 'text/plain', scrape: () => Promise.reject(new Error('hunter2')) };
    const answer = await answerOf('/metrics', {}, { metrics: failing });
    expect([answer.status, JSON.parse(answer.body)]).toEqual([500, { status: 'error', errorCode: 'UNKNOWN' }]);
  });

  it('is not there without metrics', async () => {
    expect((await answerOf('/metrics', {})).status).toBe(404);
  });
});

describe('requests', () => {
  it.each(['/health', '/health/live', '/health/ready'])(
    'by HEAD %s get the headers of GET without its body',
    async (path) => {
      const got = await answerOf(path, { primary: {} });
      const head = await answerOf(path, { primary: {} }, { method: 'HEAD' });
      expect([head.status, head.body]).toEqual([got.status, '']);
      expect(head.headers['content-length']).toBe(got.headers['content-length']);
    },
  );

  it('may carry a query', async () => {
    expect((await answerOf('/health/live?probe=1', {})).status).toBe(200);
  });

  it('for another path get 404 in JSON, with the paths there are', async () => {
    const answer = await answerOf('/', {});
    expect([answer.status, JSON.parse(answer.body)]).toEqual([
      404,
      { status: 'not found', paths: ['/health', '/health/live', '/health/ready'] },
    ]);
  });

  it('by another method get 405 in JSON with Allow', async () => {
    const answer = await answerOf('/health', {}, { method: 'POST' });
    expect([answer.status, answer.headers.allow]).toEqual([405, 'GET, HEAD']);
    expect(JSON.parse(answer.body)).toEqual({ status: 'method not allowed', methods: ['GET', 'HEAD'] });
  });

  it('for another path go to the next handler when mounted in a framework', async () => {
    const listener = createRequestListener({ manager: { stats: () => sampleStats({}) } });
    const port = await serve((request, response) => {
      listener(request, response, () => response.writeHead(204).end());
    });
    expect((await ask(port, '/orders')).status).toBe(204);
    expect((await ask(port, '/health')).status).toBe(200);
  });
});

describe('GET /statements', () => {
  it('shows the slowest statements of each connection where the manager is given for that', async () => {
    const profile = {
      text: 'select ?',
      operation: 'SELECT',
      collection: '',
      count: 1,
      errors: 0,
      totalMs: 2,
      maxMs: 2,
    };
    const statements = { getAll: () => new Map([['primary', { slowestStatements: () => [profile] }]]) };
    const answer = await answerOf('/statements', { primary: {} }, { statements });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toEqual({ connections: [{ name: 'primary', statements: [profile] }] });
  });

  it('is not there otherwise', async () => {
    expect((await answerOf('/statements', { primary: {} })).status).toBe(404);
  });
});
