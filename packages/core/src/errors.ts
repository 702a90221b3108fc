/** What is fixed about an error code: documented in docs/errors.md, which a test holds against this table. */
interface ErrorCodeEntry {
  /** The more general code that it is a kind of: who asks for that with {@link isDbManagerError} means this one too. */
  readonly kindOf?: string;
  /** Whether the same call may succeed later and nothing was done by this one. */
  readonly retryable: boolean;
  /** When it is raised. */
  readonly when: string;
  /** What the reader should change. */
  readonly remedy: string;
}

/** Every error code of dbmanager. Codes are stable; texts are not. */
export const ERROR_CODES = {
  DBM_CONFIG_INVALID: {
    retryable: false,
    when: 'The configuration breaks one or more rules; `problems` lists all of them, with places where the source is a file.',
    remedy: 'Correct each problem; `dbmanager check` prints them.',
  },
  DBM_CONFIG_UNREADABLE: {
    retryable: false,
    when: 'The configuration file, or a file it names, cannot be read.',
    remedy: 'Correct the path or the permissions.',
  },
  DBM_INVALID_OPTION: {
    retryable: false,
    when: 'An option given in code has a value that is not allowed.',
    remedy: 'Correct the option that the message names.',
  },
  DBM_UNKNOWN_PROVIDER: {
    retryable: false,
    when: 'A connection names a `type` for which no provider is registered.',
    remedy: 'Correct `type`, or pass the provider to the manager.',
  },
  DBM_PACKAGE_NOT_INSTALLED: {
    retryable: false,
    when: 'A driver or ORM is needed that is not installed.',
    remedy: 'Install the package that the message names.',
  },
  DBM_PACKAGE_VERSION: {
    retryable: false,
    when: 'A driver or ORM is installed in a version that this has not been tested with.',
    remedy: 'Install a version of the range that the message names.',
  },
  DBM_UNKNOWN_CONNECTION: {
    retryable: false,
    when: 'No connection has the name that was asked for.',
    remedy: 'Correct the name, or add the connection to the configuration.',
  },
  DBM_DUPLICATE_CONNECTION: {
    retryable: false,
    when: 'A connection is registered under a name that is taken.',
    remedy: 'Choose another name.',
  },
  DBM_NO_DEFAULT_CONNECTION: {
    retryable: false,
    when: 'The default connection was asked for and none is set.',
    remedy: 'Set `default_connection`, or call `setDefaultDatabase`.',
  },
  DBM_NO_DATABASE: {
    retryable: false,
    when: 'A database was asked for where none is configured: the manager is a `NoDatabaseManager`.',
    remedy: 'Configure a connection.',
  },
  DBM_ALREADY_SET_UP: {
    retryable: false,
    when: 'The process-wide manager is set up a second time.',
    remedy: 'Call `resetManager` first.',
  },
  DBM_NOT_SET_UP: {
    retryable: false,
    when: 'The process-wide manager was asked for before it was set up.',
    remedy: 'Call `setupManager` first.',
  },
  DBM_CLOSED: {
    retryable: false,
    when: 'The pool, connection or manager is closing or closed.',
    remedy: 'Do not use it after `close()`.',
  },
  DBM_NOT_CONNECTED: {
    retryable: false,
    when: 'A handle is asked of a connection whose driver is not loaded, because `connect()` was not called or failed.',
    remedy: 'Await `connect()` of the manager first.',
  },
  DBM_STARTUP_FAILED: {
    retryable: true,
    when: 'At least one required connection could not be opened; `errors` has one error for each. Nothing stays open.',
    remedy: 'See each error; `startup: optional` lets the service start without that database.',
  },
  DBM_STARTUP_TIMEOUT: {
    retryable: true,
    when: 'A connection was not up within `startup_timeout`; the cause is the last attempt.',
    remedy: 'Check the database, or raise `startup_timeout`.',
  },
  DBM_CONNECT_FAILED: {
    retryable: true,
    when: 'A connection to the server could not be made.',
    remedy: 'Check `host`, `port` and that the server runs.',
  },
  DBM_CONNECT_TIMEOUT: {
    retryable: true,
    when: 'The server did not answer within `connect_timeout`.',
    remedy: 'Check `host` and `port`, or raise `connect_timeout`.',
  },
  DBM_SERVER_STARTING: {
    retryable: true,
    when: 'The server is starting up, shutting down or recovering.',
    remedy: 'Wait; the pool tries again by itself.',
  },
  DBM_TOO_MANY_CONNECTIONS: {
    retryable: true,
    when: 'The server has no free connection slot.',
    remedy: 'Lower `max_open_conns`, or raise the limit of the server.',
  },
  DBM_AUTH_FAILED: {
    retryable: false,
    when: 'The server refused the user or the password.',
    remedy: 'Correct `user`, `password` or `password_file`.',
  },
  DBM_DATABASE_NOT_FOUND: {
    retryable: false,
    when: 'The server has no database of that name.',
    remedy: 'Correct `database`, or create it.',
  },
  DBM_TLS_FAILED: {
    retryable: false,
    when: 'The TLS handshake failed, or the server does not offer TLS.',
    remedy: 'Correct `sslmode` and the certificate options.',
  },
  DBM_FILE_NOT_ACCESSIBLE: {
    retryable: false,
    when: 'The database file cannot be opened: its folder is missing, or permissions forbid it.',
    remedy: 'Correct `filepath`, or create the folder.',
  },
  DBM_DATABASE_LOCKED: {
    retryable: true,
    when: 'The database lets in one process at a time, and another has it open.',
    remedy: 'End the other process, or let it do the work.',
  },
  DBM_CONNECTION_LOST: {
    retryable: false,
    when: 'The connection died while in use. The statement may or may not have run.',
    remedy: 'Decide by the statement whether it may be repeated.',
  },
  DBM_ACQUIRE_TIMEOUT: {
    retryable: true,
    when: 'No connection was to be had within `acquire_timeout`; the message has the state of the pool, the cause the last connect failure.',
    remedy: 'Raise `max_open_conns` or `acquire_timeout`, or hold connections for a shorter time.',
  },
  DBM_QUEUE_FULL: {
    retryable: true,
    when: 'More than `max_pending` callers wait for a connection.',
    remedy: 'Shed load, or raise `max_pending`.',
  },
  DBM_POOL_DEADLOCK: {
    retryable: false,
    when: 'A transaction asked the full pool that it runs on for another connection, which could wait for itself.',
    remedy: 'Use the handle of the transaction, or raise `max_open_conns`.',
  },
  DBM_LEASE_RELEASED: {
    retryable: false,
    when: 'A connection was used after it had been given back.',
    remedy: 'Use it only until `release()`.',
  },
  DBM_ABORTED: {
    retryable: false,
    when: 'The AbortSignal of the call was aborted; the cause is its reason.',
    remedy: 'None: the caller asked for it.',
  },
  DBM_HEALTH_CHECK_FAILED: {
    retryable: true,
    when: 'A health check failed; the cause says why.',
    remedy: 'See the cause.',
  },
  DBM_HEALTH_CHECK_TIMEOUT: {
    retryable: true,
    when: 'A health check had no answer within `health_check_timeout`.',
    remedy: 'Check the database, or raise `health_check_timeout`.',
  },
  DBM_QUERY_FAILED: {
    retryable: false,
    when: 'The database refused a statement; the cause is the error of the driver.',
    remedy: 'See the cause.',
  },
  DBM_UNIQUE_VIOLATION: {
    kindOf: 'DBM_QUERY_FAILED',
    retryable: false,
    when: 'A unique constraint, unique index or primary key has that value already; `constraint`, `table`, `column` where the server names them.',
    remedy: 'Use another value, or write `on conflict` / `on duplicate key`.',
  },
  DBM_FOREIGN_KEY_VIOLATION: {
    kindOf: 'DBM_QUERY_FAILED',
    retryable: false,
    when: 'A row refers to one that there is not, or is still referred to; `constraint` and `table` where the server names them.',
    remedy: 'Insert the row referred to first, or delete those that refer to it.',
  },
  DBM_NOT_NULL_VIOLATION: {
    kindOf: 'DBM_QUERY_FAILED',
    retryable: false,
    when: 'A column that must have a value was given none; `table` and `column` where the server names them.',
    remedy: 'Give the column a value.',
  },
  DBM_CHECK_VIOLATION: {
    kindOf: 'DBM_QUERY_FAILED',
    retryable: false,
    when: 'A check constraint does not allow the row; `constraint` and `table` where the server names them.',
    remedy: 'Correct the values.',
  },
  DBM_SYNTAX: {
    kindOf: 'DBM_QUERY_FAILED',
    retryable: false,
    when: 'The database cannot make sense of the statement: its syntax is wrong, or it names a table, column or function that there is not, or creates one that there is already.',
    remedy: 'Correct the statement, or migrate the schema.',
  },
  DBM_PERMISSION_DENIED: {
    kindOf: 'DBM_QUERY_FAILED',
    retryable: false,
    when: 'The user of the connection may not do what the statement asks for.',
    remedy: 'Grant it, or connect as another user.',
  },
  DBM_NOT_FOUND: {
    retryable: false,
    when: '`queryOneOrThrow` found no row, or a repository was to update one that there is not.',
    remedy: 'None, where a missing row is an error; else use `queryOne`, or `upsert`.',
  },
  DBM_INVALID_INPUT: {
    retryable: false,
    when: 'A repository was given a column, an operator, a direction, a cursor or a value that cannot be meant; `option` is the path to it. Nothing was sent.',
    remedy: 'Correct what was given; where it came from a request, the request is bad.',
  },
  DBM_STALE_VERSION: {
    retryable: false,
    when: 'A row was to be updated or deleted in a version that it no longer has: somebody else has changed it since it was read.',
    remedy: 'Read the row again, decide anew, and update that version.',
  },
  DBM_QUERY_TIMEOUT: {
    retryable: false,
    when: 'A statement took longer than `query_timeout` and was cancelled.',
    remedy: 'Make the statement faster, or raise `query_timeout`.',
  },
  DBM_READ_ONLY: {
    retryable: false,
    when: 'A write was sent to a database or a call that is read-only.',
    remedy: 'Send writes to the primary.',
  },
  DBM_COMMIT_UNKNOWN: {
    retryable: false,
    when: 'The connection died while COMMIT was under way: the transaction may or may not have been applied.',
    remedy: 'Find out by reading before repeating it.',
  },
  DBM_TRANSACTION_ABORTED: {
    retryable: false,
    when: 'COMMIT was asked for, but the database had already aborted the transaction and rolled it back.',
    remedy: 'Do not swallow errors of statements inside a transaction; use a savepoint.',
  },
  DBM_TRANSACTION_TIMEOUT: {
    retryable: false,
    when: 'A transaction took longer than its `timeout` and was rolled back.',
    remedy: 'Make the transaction shorter, or raise its `timeout`.',
  },
  DBM_SERIALIZATION_FAILURE: {
    retryable: true,
    when: 'The database gave a transaction up because it could not be put in order with others.',
    remedy: 'Repeat the whole transaction: `retry` of `transaction()` does.',
  },
  DBM_DEADLOCK: {
    retryable: true,
    when: 'Transactions waited for each other, and the database gave this one up.',
    remedy: 'Repeat the whole transaction (`retry` of `transaction()` does), and lock rows in one order everywhere.',
  },
  DBM_NOT_SQL: {
    retryable: false,
    when: 'An SQL handle was asked of a connection that is no SQL database.',
    remedy: 'Ask for the handle that the database has.',
  },
  DBM_NOT_MONGODB: {
    retryable: false,
    when: 'A MongoDB handle was asked of a connection of another type.',
    remedy: 'Ask for the handle that the database has.',
  },
  DBM_MIGRATION_DIRTY: {
    retryable: false,
    when: 'A migration failed or was broken off half-way, here or by golang-migrate, and nobody has said yet what is true of the schema.',
    remedy:
      'Look at the schema, mend it or the migration, then `migrate force VERSION` with the version that it really has.',
  },
  DBM_MIGRATION_DRIFT: {
    retryable: false,
    when: 'Migrations that were applied have been edited or are missing, or one was added below those that were applied.',
    remedy: 'See `migrate verify`; restore the files, or `migrate force VERSION` to accept them as they are.',
  },
  DBM_MIGRATION_FAILED: {
    retryable: false,
    when: 'A step of a migration failed; the cause is the error of the database or of the code.',
    remedy: 'See the cause; the message says whether the step was rolled back.',
  },
  DBM_MIGRATION_LOCKED: {
    retryable: true,
    when: 'Another process went on migrating for longer than `migrations_lock_timeout`.',
    remedy: 'Wait for it, or raise `migrations_lock_timeout`.',
  },
  DBM_MIGRATION_SOURCE: {
    retryable: false,
    when: 'The migrations themselves are wrong: no folder, two of one version, a version that there is not, no way down.',
    remedy: 'See the message; nothing was done.',
  },
  DBM_MIGRATION_TABLE: {
    retryable: false,
    when: 'The table of versions is not of the shape that golang-migrate gives it: another tool may own it.',
    remedy: 'Name another with `migrations_table`.',
  },
  DBM_SQL_FILES: {
    retryable: false,
    when: 'Statements in files are wrong: a folder that is not there, a file that is not one statement; `problems` lists all, with places.',
    remedy: 'Correct each problem; `dbmanager sql check` prints them.',
  },
  DBM_UNKNOWN_QUERY: {
    retryable: false,
    when: 'No file has the name of the statement that was asked for.',
    remedy: 'Correct the name, or write the file.',
  },
  DBM_STORE_TABLE: {
    kindOf: 'DBM_QUERY_FAILED',
    retryable: false,
    when: 'The table of a store (sessions, tenants …) is not there, or not as this version has it; `table` has its name.',
    remedy: 'Call `createTables()` of the stores, or apply their migrations.',
  },
  DBM_TOO_LARGE: {
    retryable: false,
    when: 'A value that was to be stored is larger than its store allows; nothing was sent.',
    remedy: 'Store less, or raise the limit that the message names.',
  },
  DBM_TOKEN_INVALID: {
    retryable: false,
    when: 'An access token is malformed, or there is none like it.',
    remedy: 'Answer 401; the caller needs another token.',
  },
  DBM_TOKEN_EXPIRED: {
    retryable: false,
    when: 'The time of an access token is over.',
    remedy: 'Answer 401; the caller needs another token.',
  },
  DBM_TOKEN_SCOPE: {
    retryable: false,
    when: 'An access token is valid, but has not every scope that was asked for.',
    remedy: 'Answer 403; the caller needs a token with the scopes that the message names.',
  },
  DBM_REQUEST_TIMEOUT: {
    retryable: false,
    when: 'An HTTP request was not answered before its deadline: it was answered 503, and what it had running was ended.',
    remedy: 'Make the handler faster, or raise its `timeout`.',
  },
  DBM_INVALID_HOST: {
    retryable: false,
    when: 'The `Host` header of an HTTP request, by which its tenant is found, is no name, or there are several.',
    remedy: 'None, unless a proxy in front writes it.',
  },
  DBM_UNKNOWN_TENANT: {
    retryable: false,
    when: 'There is no tenant at the host that an HTTP request names.',
    remedy: 'Give the tenant that host, or answer 404.',
  },
  DBM_UNSUPPORTED: {
    retryable: false,
    when: 'The engine or the ORM cannot do what was asked.',
    remedy: 'See the message.',
  },
} as const satisfies Record<string, ErrorCodeEntry>;

/** A stable code to match on. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** What an error may carry beside its code and message. */
export interface DbManagerErrorOptions {
  readonly cause?: unknown;
  readonly connectionName?: string | undefined;
  /** The YAML key to change. */
  readonly option?: string | undefined;
  /** Overrides the code's default. */
  readonly retryable?: boolean | undefined;
  /** Of a violated constraint. */
  readonly constraint?: string | undefined;
  readonly table?: string | undefined;
  readonly column?: string | undefined;
}

const BRAND = Symbol.for('dbmanager.error');

/**
 * The one class of every error dbmanager raises itself. Match on `code`; `instanceof` works across several installed
 * copies. The message names the connection and the option to change and never holds a secret.
 */
export class DbManagerError extends Error {
  readonly code: ErrorCode;
  /** Name of the connection, where one is concerned. */
  readonly connectionName: string | undefined;
  /** The YAML key to change, where one is concerned. */
  readonly option: string | undefined;
  /** True when the same call may succeed later and this one did nothing. */
  readonly retryable: boolean;
  /** The constraint that a statement violated, where the server names it. */
  readonly constraint: string | undefined;
  /** The table that a refused statement is about, where the server names it. */
  readonly table: string | undefined;
  /** The column that a refused statement is about, where the server names one. */
  readonly column: string | undefined;
  readonly [BRAND] = true;

  constructor(code: ErrorCode, message: string, options: DbManagerErrorOptions = {}) {
    super(
      options.connectionName === undefined ? message : prefix(options.connectionName) + message,
      'cause' in options ? { cause: options.cause } : undefined,
    );
    this.name = new.target.name;
    this.code = code;
    this.connectionName = options.connectionName;
    this.option = options.option;
    this.retryable = options.retryable ?? ERROR_CODES[code].retryable;
    this.constraint = options.constraint;
    this.table = options.table;
    this.column = options.column;
  }

  /** The message without the connection's name in front, for the message of an error around this one. */
  get detail(): string {
    return this.connectionName === undefined ? this.message : this.message.slice(prefix(this.connectionName).length);
  }

  /** True for an error of any installed copy of this package, when asked of `DbManagerError` itself. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (typeof value !== 'object' || value === null) return false;
    // biome-ignore lint/complexity/noThisInStatic: the subclass decides what counts as its instance
    return this === DbManagerError ? BRAND in value : Object.prototype.isPrototypeOf.call(this.prototype, value);
  }
}

function prefix(connectionName: string): string {
  return `connection "${connectionName}": `;
}

/**
 * True when `error` is a dbmanager error, with that code, or a closer one, if one is given: `DBM_UNIQUE_VIOLATION` is a kind
 * of `DBM_QUERY_FAILED`.
 */
export function isDbManagerError(error: unknown, code?: ErrorCode): error is DbManagerError {
  return error instanceof DbManagerError && (code === undefined || isKindOf(error.code, code));
}

function isKindOf(code: ErrorCode, general: ErrorCode): boolean {
  if (code === general) return true;
  // An error of another installed copy may have a code that this one does not know.
  const entry: ErrorCodeEntry | undefined = ERROR_CODES[code];
  return entry?.kindOf === general;
}

/** An SQL handle was asked of a database that has none. Code `DBM_NOT_SQL`. */
export class NotSqlDatabaseError extends DbManagerError {
  constructor(connectionName: string, asked: string) {
    super('DBM_NOT_SQL', `${asked} needs an SQL database`, { connectionName });
  }
}

/** A MongoDB handle was asked of another database. Code `DBM_NOT_MONGODB`. */
export class NotMongoDatabaseError extends DbManagerError {
  constructor(connectionName: string, type: string) {
    super('DBM_NOT_MONGODB', `mongodb() needs a connection of type mongodb, not ${type}`, { connectionName });
  }
}

/** The outcome of a COMMIT is not known. Code `DBM_COMMIT_UNKNOWN`. */
export class CommitUnknownError extends DbManagerError {
  constructor(connectionName: string, cause: unknown) {
    super('DBM_COMMIT_UNKNOWN', 'the connection was lost during COMMIT; the transaction may or may not be applied', {
      connectionName,
      cause,
    });
  }
}

/**
 * Several required connections, or one, could not be opened. Code `DBM_STARTUP_FAILED`; `connectionName` and `option` are
 * there when it was one.
 */
export class StartupError extends DbManagerError {
  /** One error for each connection that failed, in the order of the configuration. */
  readonly errors: readonly DbManagerError[];

  constructor(errors: readonly DbManagerError[]) {
    const [first, ...others] = errors;
    // Of one failure everything; of several, which no single name or option stands for, the messages.
    const only = others.length === 0 ? first : undefined;
    const reasons = only?.detail ?? errors.map(({ message }) => message).join('; ');
    super('DBM_STARTUP_FAILED', `could not start: ${reasons}`, {
      cause: first,
      connectionName: only?.connectionName,
      option: only?.option,
      retryable: errors.every(({ retryable }) => retryable),
    });
    this.errors = errors;
  }
}

/** The `DBM_ABORTED` error for an aborted signal. */
export function abortedError(signal: AbortSignal, connectionName?: string): DbManagerError {
  return new DbManagerError('DBM_ABORTED', 'aborted by the caller', { cause: signal.reason, connectionName });
}
