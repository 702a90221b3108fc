import { COCKROACHDB_SERVER } from './describe-with-cockroachdb.js';
import { MARIADB_SERVER } from './describe-with-mariadb.js';
import { MONGODB_SERVER } from './describe-with-mongodb.js';
import { MSSQL_SERVER } from './describe-with-mssql.js';
import { PGBOUNCER_SERVER } from './describe-with-pgbouncer.js';
import { POSTGRES_SERVER } from './describe-with-postgres.js';
import { REDIS_SERVER } from './describe-with-redis.js';
import type { SharedTestServer, TestServerEndpoint } from './describe-with-server.js';

/** Every server that a test run may share. */
export const TEST_SERVERS: readonly SharedTestServer<TestServerEndpoint>[] = [
  POSTGRES_SERVER,
  PGBOUNCER_SERVER,
  COCKROACHDB_SERVER,
  MARIADB_SERVER,
  MONGODB_SERVER,
  MSSQL_SERVER,
  REDIS_SERVER,
];
