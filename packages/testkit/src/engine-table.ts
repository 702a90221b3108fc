import { createRequire } from 'node:module';
import type { SharedTestServer, TestServerEndpoint } from './describe-with-server.js';

const require = createRequire(import.meta.url);

/** What a test run had of one engine. */
export interface EngineRow {
  /** The types of connections. */
  readonly types: string;
  readonly server: string;
  /** What it says of itself. */
  readonly version: string;
  /** Whether it was the database itself, a stand-in, or not there, and why. */
  readonly tested: string;
}

/** Engines that are part of the process. */
const EMBEDDED = [
  { types: 'sqlite', server: 'SQLite', version: sqliteVersion, tested: 'real, in the process' },
  { types: 'kv', server: 'LevelDB', version: levelVersion, tested: 'real, in the process' },
];

/**
 * One row for each engine, after a run.
 *
 * @param startedUrl the URL of the server that was started for the run; undefined when no test asked for one.
 */
export async function engineRows(
  servers: readonly SharedTestServer<TestServerEndpoint>[],
  startedUrl: (server: SharedTestServer<TestServerEndpoint>) => Promise<string> | undefined,
): Promise<EngineRow[]> {
  const rows = await Promise.all(servers.map((server) => serverRow(server, () => startedUrl(server))));
  return [...rows, ...EMBEDDED.map(({ version, ...row }) => ({ ...row, version: orReason(version) }))];
}

/** The rows as a table of text. */
export function renderEngines(rows: readonly EngineRow[]): string {
  const titles: EngineRow = { types: 'ENGINE', server: 'SERVER', version: 'VERSION', tested: 'TESTED ON' };
  const columns = ['types', 'server', 'version'] as const;
  const width = (column: (typeof columns)[number]) => Math.max(...[titles, ...rows].map((row) => row[column].length));
  const widths = columns.map((column) => [column, width(column)] as const);
  const line = (row: EngineRow) => [...widths.map(([column, n]) => row[column].padEnd(n)), row.tested].join('  ');
  return [titles, ...rows].map(line).join('\n');
}

async function serverRow(
  server: SharedTestServer<TestServerEndpoint>,
  startedUrl: () => Promise<string> | undefined,
): Promise<EngineRow> {
  const { kind, given } = server;
  const row = { types: kind.types.join(', '), server: kind.name, version: '-' };
  const missing = server.missing();
  if (missing !== undefined) return { ...row, tested: `skipped: ${missing}` };
  const url = given?.url ?? startedUrl();
  if (url === undefined) return { ...row, tested: 'not asked for in this run' };
  const how = given === undefined ? 'started by the test kit' : `named by ${given.variable}`;
  const tested = kind.standIn === undefined || given !== undefined ? `real, ${how}` : `stand-in: ${kind.standIn}`;
  try {
    return { ...row, version: await kind.endpoint(await url).version(), tested };
  } catch (error) {
    return { ...row, tested: `failed: ${firstLine(error)}` };
  }
}

function sqliteVersion(): string {
  const Database = require('better-sqlite3') as new (file: string) => SqliteDatabase;
  const database = new Database(':memory:');
  try {
    return (database.prepare('select sqlite_version() as version').get() as { version: string }).version;
  } finally {
    database.close();
  }
}

interface SqliteDatabase {
  prepare(sql: string): { get(): unknown };
  close(): void;
}

function levelVersion(): string {
  return `classic-level ${(require('classic-level/package.json') as { version: string }).version}`;
}

function orReason(version: () => string): string {
  try {
    return version();
  } catch (error) {
    return firstLine(error);
  }
}

function firstLine(error: unknown): string {
  return String(error).split('\n', 1)[0] ?? '';
}
