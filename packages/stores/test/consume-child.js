// One of several processes of a test, on the built packages: it consumes a limit as often as its parent says, all at once.
import { once } from 'node:events';
import { Secret } from '@dbmanager/core';
import { createDatabase } from '@dbmanager/database';
import { mssqlProvider } from '@dbmanager/provider-mssql';
import { mariadbProvider } from '@dbmanager/provider-mysql';
import { cockroachdbProvider, postgresProvider } from '@dbmanager/provider-postgres';
import { sqliteProvider } from '@dbmanager/provider-sqlite';
import { Stores } from '@dbmanager/stores';
import { TestConnection } from '@dbmanager/testkit';

const PROVIDERS = [sqliteProvider, postgresProvider, cockroachdbProvider, mariadbProvider, mssqlProvider];

const [{ type, options, dsn, key, limit, calls }] = await once(process, 'message');
const provider = PROVIDERS.find((each) => each.type === type);
const place = dsn === undefined ? options : { ...options, dsn: new Secret(dsn) };
const connection = await TestConnection.open(provider, place, { name: 'child' });
const { engine, lanes } = connection;
const db = createDatabase({
  name: 'child',
  type,
  engine,
  closing: new AbortController().signal,
  acquire: (request) => lanes.acquire(request),
  holding: (work) => lanes.holding(work),
});
const { rateLimits } = new Stores({ connectionName: 'child', type, place: () => db });
// Loads the driver, and connects.
await rateLimits.get(key, '1h');
process.send('ready');
await once(process, 'message');
const decisions = await Promise.all(Array.from({ length: calls }, () => rateLimits.consume(key, limit, '1h')));
process.send(decisions);
await connection.close();
process.disconnect();
