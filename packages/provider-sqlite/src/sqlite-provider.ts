import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  type ConfigProblem,
  type ConnectionConfig,
  type ConnectionFactory,
  DbManagerError,
  type Engine,
  formatPath,
  observedFactory,
  type Provider,
  type ProviderContext,
  type SqlDialect,
  unobserved,
} from '@dbmanager/core';
import { BusyWait, DRIVER_BUSY_MS } from './busy-wait.js';
import { conflict, openError, statementError } from './errors.js';
import type { SqliteConnection } from './sqlite-connection.js';
import { fileFactory, sharedFactory } from './sqlite-connection-factory.js';
import { isSqliteDatabase, loadSqliteDriver, type SqliteDatabase, type SqliteDriver } from './sqlite-driver.js';
import { SqliteFile } from './sqlite-file.js';
import { SQLITE_MIGRATIONS } from './sqlite-migrations.js';
import { SqliteNative } from './sqlite-native.js';
import { SQLITE_OPTIONS, type SqliteOptions } from './sqlite-options.js';
import { applyPragmas, OPTION_OF_PRAGMA, PRAGMA_NAME, PRAGMA_VALUE } from './sqlite-pragmas.js';
import { quoteIdentifier, SqliteSession } from './sqlite-session.js';
import { SqliteStatements } from './sqlite-statements.js';
import { TransactionDatabase } from './transaction-database.js';

type SqliteConfig = ConnectionConfig<SqliteOptions>;
type SqliteEngine = Engine<SqliteConnection>;
type SqliteFactory = ConnectionFactory<SqliteConnection>;

const MEMORY = ':memory:';
const DIALECT = {
  placeholders: 'question-mark',
  lexis: { nameQuotes: ['`', '['] },
} as const satisfies SqlDialect;

/**
 * Opens `type: sqlite` with better-sqlite3: one writer and, in WAL, as many readers as `max_open_conns` leaves, all of
 * them exclusive leases handed out in order.
 */
export const sqliteProvider: Provider<SqliteConnection, SqliteOptions> = createSqliteProvider();

/** The provider on a driver of the caller's choice: another copy of better-sqlite3, say. */
export function createSqliteProvider(
  loadDriver: (connectionName: string) => SqliteDriver = loadSqliteDriver,
): Provider<SqliteConnection, SqliteOptions> {
  return {
    type: 'sqlite',
    aliases: ['sqlite3', 'better-sqlite3'],
    options: SQLITE_OPTIONS,
    dialect: DIALECT,
    check,
    checkAll,
    async open(config, context) {
      const driver = loadDriver(config.name);
      return config.options.filepath === MEMORY
        ? memoryEngine(driver, config, context)
        : fileEngine(driver, config, context);
    },
    async adopt(handle, config, context) {
      if (!isSqliteDatabase(handle)) {
        throw new DbManagerError('DBM_INVALID_OPTION', 'only an open better-sqlite3 Database can be registered', {
          connectionName: config.name,
        });
      }
      return adoptedEngine(handle, config, context);
    },
  };
}

function fileEngine(driver: SqliteDriver, config: SqliteConfig, context: ProviderContext): SqliteEngine {
  const { options } = config;
  const common = commonEngine(options.filepath, config, context);
  const file = new SqliteFile(driver, config, common.wait);
  const writers = options.readOnly
    ? { factory: common.observed(fileFactory(file, 'read')) }
    : { factory: common.observed(fileFactory(file, 'write')), maxOpen: 1 };
  // Without WAL a reader and a writer exclude each other, so that readers would only make both wait.
  const readers =
    options.journalMode === 'wal' && !options.readOnly ? { readers: common.observed(fileFactory(file, 'read')) } : {};
  return { ...common.engine, ...writers, ...readers, probe: (signal) => file.probe(signal) };
}

function memoryEngine(driver: SqliteDriver, config: SqliteConfig, context: ProviderContext): SqliteEngine {
  let database: SqliteDatabase | undefined;
  const open = () => {
    const handle = new driver(MEMORY, { timeout: DRIVER_BUSY_MS });
    try {
      applyPragmas(handle, config.options, { canWrite: false });
    } catch (error) {
      handle.close();
      throw openError(error, config.name, MEMORY);
    }
    return handle;
  };
  return {
    ...sharedEngine(() => (database ??= open()), DRIVER_BUSY_MS, config, context, MEMORY),
    async close() {
      database?.close();
      database = undefined;
    },
  };
}

function adoptedEngine(handle: SqliteDatabase, config: SqliteConfig, context: ProviderContext): SqliteEngine {
  const busyTimeoutMs = Number(handle.pragma('busy_timeout', { simple: true }));
  return sharedEngine(() => handle, busyTimeoutMs, config, context, handle.name);
}

/** An engine on one handle that outlives the connections of its pool. */
function sharedEngine(
  database: () => SqliteDatabase,
  busyTimeoutMs: number,
  config: SqliteConfig,
  context: ProviderContext,
  namespace: string,
): SqliteEngine {
  const { name: connectionName } = config;
  const { statementCacheSize } = config.options;
  const { engine, observed } = commonEngine(namespace, config, context);
  return {
    ...engine,
    factory: observed(sharedFactory({ connectionName, database, statementCacheSize, busyTimeoutMs })),
    maxOpen: 1,
    async probe() {
      const handle = database();
      if (!handle.open)
        throw new DbManagerError('DBM_CONNECTION_LOST', 'the handle has been closed', { connectionName });
      unobserved(() => handle.prepare('SELECT 1')).all([]);
    },
  };
}

/** What all engines have alike. */
function commonEngine(namespace: string, config: SqliteConfig, context: ProviderContext) {
  const { busyTimeoutMs } = config.options;
  const wait = new BusyWait(context, busyTimeoutMs, config.name);
  const identity = { system: 'sqlite', namespace };
  const observer = context.observe?.({ identity, lexis: DIALECT.lexis });
  const observed = (factory: SqliteFactory): SqliteFactory =>
    observer === undefined ? factory : observedFactory(factory, (connection) => connection.observe(observer));
  const statements = new SqliteStatements(wait, observer);
  const engine = {
    identity,
    sql: {
      ...DIALECT,
      quoteIdentifier,
      session: (source) => new SqliteSession(source, { clock: context.clock, wait, observer, statements }),
      run: (source, statement, options) => statements.runAlone(source, statement, options),
      conflict,
      check: compiles,
      migrations: SQLITE_MIGRATIONS,
    },
    native: (source) => new SqliteNative(source, { wait, busyTimeoutMs, observer }),
    nativeTransaction: (tx) => new TransactionDatabase(tx),
  } satisfies Partial<SqliteEngine>;
  return { wait, engine, observed };
}

/** True when a statement compiles; rejects when it does not. */
async function compiles(connection: SqliteConnection, sql: string, connectionName: string): Promise<boolean> {
  try {
    connection.compile(sql);
    return true;
  } catch (error) {
    throw statementError(error, connectionName);
  }
}

function check({ options }: SqliteConfig): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (options.readOnly && options.filepath === MEMORY) {
    problems.push({ path: ['read_only'], rule: 'not-allowed', message: 'a database in memory cannot be read-only' });
  }
  for (const [name, value] of Object.entries(options.pragmas)) {
    const message = pragmaProblem(name, value);
    if (message !== undefined) problems.push({ path: ['pragmas', name], rule: 'not-allowed', message });
  }
  return problems;
}

function pragmaProblem(name: string, value: string): string | undefined {
  if (!PRAGMA_NAME.test(name)) return 'is no name of a pragma';
  const option = OPTION_OF_PRAGMA[name.toLowerCase()];
  if (option !== undefined) return `use the option ${option}`;
  return PRAGMA_VALUE.test(value) ? undefined : 'must be a word, a number, or text in single quotes';
}

/** Two writers in one process block the event loop against each other until `busy_timeout`. */
function checkAll(connections: readonly SqliteConfig[]): readonly ConfigProblem[] {
  const writers = new Map<string, string>();
  const problems: ConfigProblem[] = [];
  for (const { name, options } of connections) {
    if (options.filepath === MEMORY || options.readOnly) continue;
    const file = canonical(options.filepath);
    const other = writers.get(file);
    if (other === undefined) {
      writers.set(file, name);
      continue;
    }
    problems.push({
      path: ['connections', name, 'filepath'],
      rule: 'duplicate-file',
      message: `is the file of ${formatPath(['connections', other])} too; use that one, or set read_only on one of them`,
    });
  }
  return problems;
}

function canonical(path: string): string {
  const absolute = resolve(path);
  try {
    return realpathSync(absolute);
  } catch {
    return absolute; // does not exist yet
  }
}
