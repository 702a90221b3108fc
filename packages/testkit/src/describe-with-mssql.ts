import { SharedTestServer, type TestRunner } from './describe-with-server.js';
import { MssqlEndpoint } from './mssql-endpoint.js';
import { MssqlStandIn, mssqlStandInMissing } from './mssql-stand-in.js';

const URL_VARIABLE = 'DBMANAGER_TEST_MSSQL_URL';

/** The SQL Server of the test run, or what stands in for it. */
export const MSSQL_SERVER = new SharedTestServer<MssqlEndpoint>({
  name: 'SQL Server',
  types: ['mssql'],
  urlVariables: [URL_VARIABLE],
  path: '/mssql',
  standIn: 'a TDS server of the test kit, with T-SQL on SQLite',
  missing: mssqlStandInMissing,
  start: () => MssqlStandIn.start(),
  endpoint: (url) => new MssqlEndpoint(url, mssqlKind()),
});

/** What tests run on: SQL Server itself, or another that speaks its protocol, where its URL is given; else the stand-in. */
export function mssqlKind(): 'real' | 'stand-in' {
  return (process.env[URL_VARIABLE] ?? '') === '' ? 'stand-in' : 'real';
}

/**
 * The server that a whole test run shares: the one of `DBMANAGER_TEST_MSSQL_URL`, else a stand-in, which is not SQL Server,
 * started when the first test asks. Create a database of your own in it, and start a {@link MssqlStandIn} for what would
 * disturb others.
 */
export function sharedMssql(): Promise<MssqlEndpoint> {
  return MSSQL_SERVER.get();
}

/**
 * A `describe` for tests on SQL Server or the stand-in for it; which one it is stands behind the name. Inside the tests the
 * function given to `define` gives the server.
 */
export function describeWithMssql(
  name: string,
  define: (mssql: () => MssqlEndpoint) => void,
  runner: TestRunner = globalThis as unknown as TestRunner,
): void {
  MSSQL_SERVER.describe(mssqlKind() === 'real' ? name : `${name} (SQL Server stand-in)`, define, runner);
}
