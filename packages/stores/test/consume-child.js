// One of several processes of a test, on the built packages: it consumes a limit as often as its parent says, all at once, on one database
// after the other.
import { on } from 'node:events';
import { Secret } from '@dbmanager/core';
import { createDatabase } from '@dbmanager/database';
import { mssqlProvider } from '@dbmanager/provider-mssql';
import { mariadbProvider } from '@dbmanager/provider-mysql';
import { cockroachdbProvider, postgresProvider } from '@dbmanager/provider-postgres';
import { sqliteProvider } from '@dbmanager/provider-sqlite';
import { Stores } from '@dbmanager/stores';
import { slowedClock, TestConnection } from '@dbmanager/testkit';

const PROVIDERS = [sqliteProvider, postgresProvider, cockroachdbProvider, mariadbProvider, mssqlProvider];

/** No limit of time is to be missed on a machine that has much else to do. */
const UNHURRIED = slowedClock(10);

const messages = on(process, 'message', { close: ['disconnect'] });

for await (const [{ type, options, dsn, key, limit, calls }] of messages) {
  const provider = PROVIDERS.find((each) => each.type === type);
  const place = dsn === undefined ? options : { ...options, dsn: new Secret(dsn) };
  const connection = await TestConnection.open(provider, place, { name: 'child', clock: UNHURRIED });
  const { engine, lanes } = connection;
  const database = createDatabase({
    name: 'child',
    type,
    engine,
    config: lanes.config,
    closing: new AbortController().signal,
    acquire: (request) => lanes.acquire(request),
    holding: (work) => lanes.holding(work),
  });
  const { rateLimits } = new Stores({ connectionName: 'child', type, place: () => database });
  // Loads the driver, and connects.
  await rateLimits.get(key, '1h');
  process.send('ready');
  await messages.next();
  process.send(await Promise.all(Array.from({ length: calls }, () => rateLimits.consume(key, limit, '1h'))));
  await connection.close();
}
