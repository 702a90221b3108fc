import { MARIADB_SERVER } from './describe-with-mariadb.js';
import { POSTGRES_SERVER } from './describe-with-postgres.js';
import type { SharedTestServer, TestServerEndpoint } from './describe-with-server.js';

/** Every server that a test run may share. */
export const TEST_SERVERS: readonly SharedTestServer<TestServerEndpoint>[] = [POSTGRES_SERVER, MARIADB_SERVER];
