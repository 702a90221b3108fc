// A service for several tenants, with one YAML for all that it keeps: started, used by two tenants over HTTP, and shut down in order.
import { once } from 'node:events';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { ConnectionManager } from 'dbmanager';
import { createApp } from './app.ts';

const mgr = await ConnectionManager.load(fileURLToPath(new URL('./dbmanager.yaml', import.meta.url)), {
  ambientTransactions: true,
});
await mgr.connect();
const stores = mgr.get('main').stores();
await stores.tenants.save({ id: 'acme', name: 'Acme', hosts: ['acme.test'], maxRequests: 100 });
await stores.tenants.save({ id: 'globex', name: 'Globex', hosts: ['globex.test', 'www.globex.test'], maxRequests: 3 });
const cleaner = stores.startCleanUp({ interval: '15m' });

const shutdown = new AbortController();
const server = createApp(mgr, shutdown.signal).listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;
const cookies = new Map<string, string>();

/** Asks as a browser at that host does, and prints the answer. */
async function ask(host: string, path: string, body?: object): Promise<string> {
  const headers = { host, 'content-type': 'application/json', cookie: cookies.get(host) ?? '' };
  const method = body === undefined ? 'GET' : 'POST';
  const sent = request({ port, host: '127.0.0.1', path, method, headers }).end(body && JSON.stringify(body));
  const [response] = await once(sent, 'response');
  const [cookie] = response.headers['set-cookie'] ?? [];
  if (cookie !== undefined) cookies.set(host, cookie);
  const answer = await text(response);
  if (!path.startsWith('/ops/metrics')) console.log(host, method, path, response.statusCode, answer);
  return answer;
}

await ask('acme.test', '/notes');
await ask('acme.test', '/login', { user: 'ada' });
await ask('acme.test', '/notes', { text: 'buy a lamp' });
await ask('acme.test', '/notes', { text: 'buy a piano, a lamp for it, and somebody to play' });
await ask('acme.test', '/count');
await ask('acme.test', '/count');
await ask('acme.test', '/notes', { text: 'sell the lamp' });
await ask('acme.test', '/count');
await ask('acme.test', '/notes');

await ask('globex.test', '/login', { user: 'grace' });
await ask('globex.test', '/notes');
await ask('www.globex.test', '/count');
await ask('globex.test', '/notes');
await ask('nobody.test', '/notes');
cookies.set('acme.test', cookies.get('globex.test') ?? '');
await ask('acme.test', '/notes');

const metrics = await ask('acme.test', '/ops/metrics');
console.log(metrics.match(/^dbmanager_transactions_total\{.*outcome="rolled_back".*$/m)?.[0]);
console.log(metrics.match(/^dbmanager_cache_(?:hits|misses)_total\{.*$/gm)?.join('\n'));

// First the balancer is told, then requests end, then connections close.
shutdown.abort();
await ask('acme.test', '/ops/health/ready');
server.close();
server.closeAllConnections();
await once(server, 'close');
await cleaner.stop();
await mgr.close();
