// A Nest application: connections and ORM handles by injection, TypeORM and Knex in one transaction.
import { NestFactory } from '@nestjs/core';
import { ConnectionManager, createRequestListener } from 'dbmanager';
import { AppModule } from './app.module.js';

const app = await NestFactory.create(AppModule, { logger: false });
app.enableShutdownHooks();
const mgr = app.get(ConnectionManager);
app.use(createRequestListener({ manager: mgr, metrics: mgr.metrics() }));
await mgr
  .get('primary')
  .knex()
  .schema.createTable('log', (table) => {
    table.increments('id');
    table.text('entry').notNullable();
  });
await app.listen(0, '127.0.0.1');
const base = await app.getUrl();

async function ask(path: string, body?: object): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const init = body === undefined ? {} : { method: 'POST', headers, body: JSON.stringify(body) };
  const response = await fetch(base + path, init);
  console.log(init.method ?? 'GET', path, response.status, (await response.text()).trim());
}

await ask('/users', { name: 'Ada' });
await ask('/users', { name: 'Ada' });
await ask('/users', { name: 'Grace' });
await ask('/users');
await ask('/users/log');
await ask('/health/ready');
await app.close();
console.log('state after app.close():', mgr.stats().connections.primary?.health.state);
