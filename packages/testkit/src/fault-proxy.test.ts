import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FaultProxy } from './fault-proxy.js';

/** A server that answers each chunk with the same bytes. */
async function echoServer(): Promise<Server> {
  const server = createServer((socket) => socket.on('error', () => socket.destroy()).pipe(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

const clients: Socket[] = [];

async function open(proxy: FaultProxy): Promise<Socket> {
  const socket = connect(proxy.port, proxy.host);
  clients.push(socket);
  await once(socket, 'connect');
  return socket;
}

async function read(socket: Socket, bytes: number): Promise<string> {
  let text = '';
  while (text.length < bytes) text += String((await once(socket, 'data'))[0]);
  return text;
}

describe('FaultProxy', () => {
  let server: Server;
  let proxy: FaultProxy;

  beforeEach(async () => {
    server = await echoServer();
    proxy = await FaultProxy.start({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    proxy.close();
    const closed = once(server, 'close');
    server.close();
    await closed;
  });

  it('passes both directions on, and the end too', async () => {
    const socket = await open(proxy);
    socket.write('hello');
    expect(await read(socket, 5)).toBe('hello');
    const closed = once(socket, 'close');
    socket.end();
    await closed;
    expect(proxy.accepted).toBe(1);
  });

  it('holds bytes back for the latency', async () => {
    proxy.toClient.latencyMs = 30;
    const socket = await open(proxy);
    const start = performance.now();
    socket.write('x');
    await read(socket, 1);
    expect(performance.now() - start).toBeGreaterThanOrEqual(29);
  });

  it('slices to single bytes without losing any', async () => {
    proxy.toServer.sliceBytes = 1;
    const socket = await open(proxy);
    socket.write('sliced');
    expect(await read(socket, 6)).toBe('sliced');
  });

  it('cuts after so many bytes, once, and lets the next socket through', async () => {
    proxy.toClient.cutAfterBytes = 3;
    const socket = await open(proxy);
    const received: Buffer[] = [];
    socket.on('data', (chunk) => received.push(chunk));
    const closed = once(socket, 'close');
    socket.write('abcdef');
    await closed;
    expect(Buffer.concat(received).toString()).toBe('abc');
    const next = await open(proxy);
    next.write('abcdef');
    expect(await read(next, 6)).toBe('abcdef');
  });

  it('resets, so that the client sees ECONNRESET', async () => {
    const socket = await open(proxy);
    socket.write('x');
    await read(socket, 1);
    proxy.cut('reset');
    const [error] = await once(socket, 'error');
    expect(error).toMatchObject({ code: 'ECONNRESET' });
  });

  it('refuses connects while the port is closed and takes them on the same port afterwards', async () => {
    const { port } = proxy;
    proxy.refuse();
    await expect(open(proxy)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await proxy.accept();
    expect(proxy.port).toBe(port);
    const socket = await open(proxy);
    socket.write('x');
    expect(await read(socket, 1)).toBe('x');
  });

  it('black-holes the sockets that are open and leaves new ones alone', async () => {
    const swallowed = await open(proxy);
    swallowed.write('x');
    await read(swallowed, 1);
    proxy.blackHole();
    let heard = false;
    swallowed.on('data', () => {
      heard = true;
    });
    swallowed.write('y');
    const fine = await open(proxy);
    fine.write('z');
    expect(await read(fine, 1)).toBe('z');
    expect(heard).toBe(false);
    expect(proxy.live).toBe(2);
  });

  it('forgets a swallowed socket when its client leaves', async () => {
    proxy.silent = true;
    const accepted = once(proxy, 'connection');
    const socket = await open(proxy);
    await accepted;
    expect(proxy.live).toBe(1);
    const gone = proxy.untilLive(0);
    socket.destroy();
    await gone;
    expect(proxy.live).toBe(0);
  });
});
