import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { isDbManagerError } from '@dbmanager/core';
import { FakeClock, settle } from '@dbmanager/testkit';
import { afterEach, describe, expect, it } from '@jest/globals';
import { sampleStats } from '../../../test/support/sample-stats.js';
import { HealthServer, type HealthServerOptions, type ListenOptions } from './index.js';

const running: HealthServer[] = [];

function healthServer(options: Partial<HealthServerOptions> = {}): HealthServer {
  const server = new HealthServer({ manager: { stats: () => sampleStats({ primary: {} }) }, ...options });
  running.push(server);
  return server;
}

/** The error that listening rejects with. */
async function refusal(server: HealthServer, options: ListenOptions): Promise<unknown> {
  return server.listen(options).then(
    () => undefined,
    (error: unknown) => error,
  );
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()));
});

describe('HealthServer', () => {
  it('listens on loopback by default and tells where', async () => {
    const { host, port, url } = await healthServer().listen({ port: 0 });
    expect({ host, url }).toEqual({ host: '127.0.0.1', url: `http://127.0.0.1:${port}` });
    const answer = await fetch(`${url}/health/live`);
    expect(await answer.json()).toEqual({ status: 'live' });
  });

  it.each([[-1], [65_536], [1.5], [Number.NaN]])('refuses the port %s', async (port) => {
    const error = await refusal(healthServer(), { port });
    expect(isDbManagerError(error, 'DBM_INVALID_OPTION') && error.option).toBe('port');
  });

  it('refuses an empty host, which Node takes for every interface', async () => {
    const error = await refusal(healthServer(), { port: 0, host: '' });
    expect(isDbManagerError(error, 'DBM_INVALID_OPTION') && error.option).toBe('host');
  });

  it('refuses a host that this machine does not have', async () => {
    const error = await refusal(healthServer(), { port: 0, host: '192.0.2.1' });
    expect(isDbManagerError(error, 'DBM_INVALID_OPTION') && error.option).toBe('host');
  });

  it('names a port that is in use, and can listen on another one then', async () => {
    const { port } = await healthServer().listen({ port: 0 });
    const server = healthServer();
    const error = await refusal(server, { port });
    expect(isDbManagerError(error, 'DBM_INVALID_OPTION') && error.option).toBe('port');
    expect(String(error)).toContain(`port ${port} of 127.0.0.1 is in use`);
    expect((await server.listen({ port: 0 })).port).not.toBe(port);
  });

  it.each(['before', 'after'])('gives the port up when aborted %s it was asked to listen', async (moment) => {
    const free = healthServer();
    const { port } = await free.listen({ port: 0 });
    await free.close();

    const abort = new AbortController();
    if (moment === 'before') abort.abort();
    const listening = refusal(healthServer(), { port, signal: abort.signal });
    abort.abort();
    expect(isDbManagerError(await listening, 'DBM_ABORTED')).toBe(true);
    await settle();
    await expect(open(port, '')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('closes idle connections at once, and closing twice is safe', async () => {
    const clock = new FakeClock();
    const server = healthServer({ clock });
    const { port } = await server.listen({ port: 0 });
    const socket = await open(port, 'GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(socket, 'data');
    const ended = once(socket, 'close');
    await Promise.all([server.close(), server.close(), ended]);
    expect(clock.pendingTimers).toBe(0);
    expect(isDbManagerError(await refusal(server, { port: 0 }), 'DBM_CLOSED')).toBe(true);
  });

  it('closes without ever having listened', async () => {
    await expect(new HealthServer({ manager: { stats: () => sampleStats({}) } }).close()).resolves.toBeUndefined();
  });

  it('lets a request that is being answered go on for a second, then cuts it', async () => {
    const clock = new FakeClock();
    let asked = (): void => {};
    const scraping = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const metrics = {
      contentType: 'text/plain',
      scrape: () => {
        asked();
        return new Promise<string>(() => {});
      },
    };
    const server = healthServer({ clock, metrics });
    const { port } = await server.listen({ port: 0 });
    const socket = await open(port, 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
    await scraping;
    const closed = server.close();
    await clock.advance(999);
    expect(socket.closed).toBe(false);
    const cut = once(socket, 'close');
    await clock.advance(1);
    await Promise.all([closed, cut]);
    await settle();
    expect(clock.pendingTimers).toBe(0);
  });

  it('leaves a port alone that something else holds', async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    const address = holder.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    expect(isDbManagerError(await refusal(healthServer(), { port }), 'DBM_INVALID_OPTION')).toBe(true);
    expect(holder.listening).toBe(true);
    await new Promise((resolve) => holder.close(resolve));
  });
});

async function open(port: number, request: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(request);
  return socket;
}
