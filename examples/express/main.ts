// An Express service on two ORMs: it is started, asked a few things, and shut down in order.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { ConnectionManager } from 'dbmanager';
import { createApp } from './app.ts';
import { stock } from './schema.ts';

const mgr = await ConnectionManager.load(fileURLToPath(new URL('./dbmanager.yaml', import.meta.url)));
await mgr.connect();
const shop = mgr.get('shop');
await shop.knex().schema.createTable('stock', (table) => {
  table.text('item').primary();
  table.integer('left').notNullable();
});
await shop.knex().schema.createTable('orders', (table) => {
  table.increments('id');
  table.text('item').notNullable();
  table.integer('quantity').notNullable();
});
await shop.drizzle('sqlite').insert(stock).values({ item: 'lamp', left: 3 });

const shutdown = new AbortController();
const server = createApp(mgr, shutdown.signal).listen(0, '127.0.0.1');
await once(server, 'listening');
const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

async function ask(path: string, body?: object): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const init = body === undefined ? {} : { method: 'POST', headers, body: JSON.stringify(body) };
  const response = await fetch(base + path, init);
  console.log(init.method ?? 'GET', path, response.status, (await response.text()).trim());
}

await ask('/orders', { item: 'lamp', quantity: 2 });
await ask('/orders', { item: 'lamp', quantity: 2 });
await ask('/stock');
await ask('/orders');
await ask('/health/live');
const metrics = await (await fetch(`${base}/metrics`)).text();
console.log(metrics.match(/^dbmanager_transactions_total\{.*outcome="(?:committed|rolled_back)".*$/gm)?.join('\n'));

// First the balancer is told, then requests end, then connections close.
shutdown.abort();
await ask('/health/ready');
server.close();
server.closeAllConnections();
await once(server, 'close');
await mgr.close();
