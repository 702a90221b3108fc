import {
  type DrizzleBridgeOptions,
  type DrizzleHandles,
  type DrizzleSchema,
  type DrizzleType,
  drizzleBridge,
} from '@dbmanager/bridge-drizzle';
import { type KnexBridgeOptions, knexBridge } from '@dbmanager/bridge-knex';
import { type AnyTables, type KyselyBridgeOptions, kyselyBridge } from '@dbmanager/bridge-kysely';
import {
  type MikroOrmBridgeOptions,
  type MongoMikroOrm,
  mikroOrmBridge,
  type SqlMikroOrm,
  withEntityManager,
} from '@dbmanager/bridge-mikro-orm';
import { type TypeormBridgeOptions, typeormBridge } from '@dbmanager/bridge-typeorm';
import {
  type ConnectionStats,
  DbManagerError,
  ManagedConnection,
  type ManagedConnectionSetup,
  NotSqlDatabaseError,
  observers,
  type PoolCloseReport,
  type SqlDialect,
} from '@dbmanager/core';
import {
  AmbientTransactions,
  type NamedSql,
  type OptionalTransactionOptions,
  type TransactionOptions,
  TransactionRunner,
  type TransactionSource,
} from '@dbmanager/database';
import { KeyValueTable } from '@dbmanager/kv-sql';
import { Migrations, type MigrationsOptions } from '@dbmanager/migrations';
import { type KeyValueOptions, type KeyValueStore, keyValueStore } from '@dbmanager/provider-kv';
import { type MongoClient, mongoClient } from '@dbmanager/provider-mongodb';
import { createQueryCache, type QueryCache } from '@dbmanager/query-cache';
import { createRepository, type Repository, type RepositoryOptions } from '@dbmanager/repository';
import { type QueryName, type QueryValues, SqlFiles } from '@dbmanager/sql-files';
import { Stores, type StoresOptions } from '@dbmanager/stores';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { Knex } from 'knex';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { Kysely } from 'kysely';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { DataSource } from 'typeorm';
import { ConnectionDatabase } from './connection-database.js';
import { namedOptions } from './named-options.js';
import type { NativeHandles } from './native-handles.js';
import type { SqlQueries } from './sql-queries.js';
import { TracedTransactions } from './traced-transactions.js';
import { ConnectionTransaction } from './transaction.js';
import { assertType, type TypedArguments, typedOptions } from './typed-arguments.js';

/** Options of a {@link Connection}. */
export interface ConnectionSettings {
  /** Handles asked for inside a transaction's callback are the transaction's. Default: they are not. */
  readonly ambientTransactions?: boolean | undefined;
  /** How its statements are written. Default: known once it is open. */
  readonly dialect?: SqlDialect | undefined;
}

/** One named connection, with a typed handle for each ORM. All of them run on its one pool. */
export class Connection extends ManagedConnection {
  readonly #transactions: TransactionSource<ConnectionTransaction>;
  readonly #context: ManagedConnectionSetup['context'];
  /** How its statements are written, where that is known before it is open; undefined where it is no SQL database. */
  readonly dialect: SqlDialect | undefined;
  #sqlFiles: SqlFiles<SqlQueries> | undefined;
  #database: ConnectionDatabase | undefined;
  #keyValueTable: KeyValueTable | undefined;
  /** What is kept of its results; undefined where `cache_enabled` is off. */
  readonly queryCache: QueryCache | undefined;
  /** Left out where no results are kept. */
  readonly writesTold?: () => Promise<void> | undefined;

  constructor(setup: ManagedConnectionSetup, { ambientTransactions = false, dialect }: ConnectionSettings = {}) {
    const cache = createQueryCache(setup.config, setup.context);
    super(cache === undefined ? setup : watched(setup, cache));
    this.queryCache = cache;
    if (cache !== undefined) this.writesTold = () => cache.told();
    this.dialect = dialect;
    this.#context = setup.context;
    const Transactions = ambientTransactions ? AmbientTransactions : TransactionRunner;
    const transactions = new Transactions({ target: this, Handle: ConnectionTransaction, ...setup.context });
    this.#transactions = traced(transactions, setup);
  }

  /** Runs `work` in a transaction with the defaults of the engine. */
  transaction<R>(work: (tx: ConnectionTransaction) => Promise<R>): Promise<R>;
  /**
   * Runs `work` in a transaction, in which every ORM can take part: committed once when it resolves, rolled back when it
   * throws, with that very error passed on. Inside, use the handles of `tx`.
   *
   * Rejects with `DBM_TRANSACTION_ABORTED` when the database had rolled back by itself, `DBM_COMMIT_UNKNOWN` when the
   * connection died in COMMIT, `DBM_TRANSACTION_TIMEOUT`, `DBM_ABORTED`, or what waiting for a connection is refused with.
   */
  transaction<R>(options: TransactionOptions | undefined, work: (tx: ConnectionTransaction) => Promise<R>): Promise<R>;
  /** Runs `work` in the ambient transaction, if there is one, or without. */
  transaction<R>(
    options: OptionalTransactionOptions,
    work: (tx: ConnectionTransaction | undefined) => Promise<R>,
  ): Promise<R>;
  async transaction<R>(
    ...args:
      | [work: (tx: ConnectionTransaction) => Promise<R>]
      | [
          options: TransactionOptions | OptionalTransactionOptions | undefined,
          work: (tx: ConnectionTransaction) => Promise<R>,
        ]
  ): Promise<R> {
    const [options, work] = args.length === 1 ? [undefined, args[0]] : args;
    // The overloads have matched `work` to the options.
    return this.#transactions.run(options as TransactionOptions | undefined, work);
  }

  /**
   * Begins a transaction that the caller ends with `commit()` or `rollback()`; `await using` rolls back what was not
   * committed. It is never ambient, and cannot be repeated.
   */
  begin(options?: TransactionOptions): Promise<ConnectionTransaction> {
    return this.#transactions.begin(options);
  }

  /** The transaction that the running code is in, where transactions are ambient. */
  get ambientTransaction(): ConnectionTransaction | undefined {
    return this.#transactions.current?.();
  }

  /**
   * A Knex on the shared pool; the same one each time, and another for each `name` in the options. Its `destroy()` only
   * detaches. Throws `DBM_PACKAGE_NOT_INSTALLED` without knex, `DBM_UNSUPPORTED` on a type Knex cannot drive.
   */
  knex(options?: KnexBridgeOptions): Knex {
    return this.ambientTransaction?.knex(options) ?? this.use(knexBridge, ...namedOptions(options));
  }

  /**
   * A Kysely on the shared pool, for the tables `DB`, any where they are not named; the same one each time, and another for each `name` in the options.
   * Its `destroy()` only detaches. Throws `DBM_PACKAGE_NOT_INSTALLED` without kysely, `DBM_UNSUPPORTED` on a type Kysely
   * cannot drive.
   */
  kysely<DB = AnyTables>(options?: KyselyBridgeOptions): Kysely<DB> {
    const own = () => this.use(kyselyBridge, ...namedOptions(options)) as unknown as Kysely<DB>;
    return this.ambientTransaction?.kysely<DB>(options) ?? own();
  }

  /**
   * A Drizzle on the shared pool: on postgres as of `drizzle-orm/node-postgres`. The same one each time, and another for each
   * `name` in the options. Its `$client.end()` only detaches. Throws `DBM_PACKAGE_NOT_INSTALLED` without drizzle-orm,
   * `DBM_UNSUPPORTED` on a type Drizzle cannot drive, or with a version of it that was not tested.
   */
  drizzle<S extends DrizzleSchema = Record<string, never>>(
    options?: DrizzleBridgeOptions<S>,
  ): DrizzleHandles<S>['postgres'];
  /** The same for the named type of connection, which is checked (`DBM_UNSUPPORTED`): `drizzle('sqlite', { schema })`. */
  drizzle<T extends DrizzleType, S extends DrizzleSchema = Record<string, never>>(
    type: T,
    options?: DrizzleBridgeOptions<S>,
  ): DrizzleHandles<S>[T];
  drizzle(...args: TypedArguments<DrizzleType, DrizzleBridgeOptions>): object {
    return this.ambientTransaction?.drizzle(...args) ?? this.use(drizzleBridge, ...typedOptions('drizzle', args, this));
  }

  /**
   * A TypeORM `DataSource` on the shared pool, initialised; the same one each time, and another for each `name` in the
   * options. Its `destroy()` only detaches. Rejects with `DBM_PACKAGE_NOT_INSTALLED` without typeorm, `DBM_INVALID_OPTION`
   * for an option that a shared pool cannot honour. Inside an ambient transaction it is that transaction's.
   */
  typeorm(options?: TypeormBridgeOptions): Promise<DataSource> {
    const own = this.use(typeormBridge, ...namedOptions(options));
    const ambient = this.ambientTransaction;
    return ambient === undefined ? own : own.then(() => ambient.typeorm(options).dataSource);
  }

  /**
   * A `MikroORM` on the shared pool; the same one each time, and another for each `name` in the options. Its `close()` only
   * detaches. Rejects with `DBM_PACKAGE_NOT_INSTALLED` without MikroORM's package for the type, `DBM_INVALID_OPTION` for an
   * option that a shared pool cannot honour. Inside an ambient transaction its `em` is that transaction's.
   *
   * Naming the type `mongodb` checks it (`DBM_UNSUPPORTED`), and types what MikroORM is there.
   */
  mikroorm(type: 'mongodb', options?: MikroOrmBridgeOptions): Promise<MongoMikroOrm>;
  mikroorm(options?: MikroOrmBridgeOptions): Promise<SqlMikroOrm>;
  async mikroorm(...args: TypedArguments<'mongodb', MikroOrmBridgeOptions>): Promise<SqlMikroOrm & MongoMikroOrm> {
    const [options, name] = typedOptions('mikroorm', args, this);
    const orm = await this.use(mikroOrmBridge, options, name);
    const ambient = this.ambientTransaction;
    const shown =
      ambient === undefined ? orm : withEntityManager(orm, ambient.mikroorm(name === undefined ? {} : { name }));
    // Which of the two it is goes by the type of the connection.
    return shown as SqlMikroOrm & MongoMikroOrm;
  }

  /**
   * A namespace of keys and values, `default` unless one is named: a store of values `V` under keys `K`, in a database of type kv,
   * or in the table `kv_table` of an SQL database. It costs nothing to make and holds nothing, so ask for it wherever it is
   * needed. Throws `DBM_UNSUPPORTED` on a type that is neither, `DBM_INVALID_OPTION` for a bad name.
   */
  kv<V = unknown, K = string>(options?: KeyValueOptions<V, K>): KeyValueStore<V, K> {
    if (this.type === 'kv') return keyValueStore(this, options);
    const { kvTable: table, kvCreateTable: createTable } = this.config.options;
    const { clock, random } = this.#context;
    this.#keyValueTable ??= new KeyValueTable(this, { table, createTable, clock, random });
    return this.#keyValueTable.store(options);
  }

  /**
   * MongoDB's own client, on the pool that it keeps; the same one each time. Its `close()` only detaches. Throws
   * `NotMongoDatabaseError` (`DBM_NOT_MONGODB`) on another type.
   */
  mongodb(): MongoClient {
    return mongoClient(this);
  }

  /**
   * The driver's own kind of handle on the shared pool, as {@link NativeHandles} has it for each type: for postgres it behaves
   * as a `pg.Pool`. Ending it only detaches. Naming the type checks it (`DBM_UNSUPPORTED`) and types the result.
   * Inside an ambient transaction it is refused (`DBM_UNSUPPORTED`), as a pool has no part in it: ask `ambientTransaction`.
   */
  override native<T extends keyof NativeHandles = 'postgres'>(type?: T): NativeHandles[T] {
    assertType('native', type, this);
    if (this.ambientTransaction !== undefined) {
      throw new DbManagerError(
        'DBM_UNSUPPORTED',
        'native() would not be part of the ambient transaction; use ambientTransaction.native()',
        { connectionName: this.name },
      );
    }
    return super.native() as NativeHandles[T];
  }

  /** The Database API on the shared pool; the same object each time. Throws `DBM_NOT_SQL` when it is no SQL database. */
  database(): ConnectionDatabase {
    if (this.engine.sql === undefined) throw new NotSqlDatabaseError(this.name, 'a Database');
    const setup = { ...this.#context, transactions: this.#transactions, cache: this.queryCache };
    this.#database ??= new ConnectionDatabase(this, setup);
    return this.#database;
  }

  /**
   * The rows of one table as objects `T`: by key, by filter, in pages. Its calls are part of the ambient transaction where there
   * is one; of another one by `in(tx)`, or made by `tx.repository()`. It may be made before the connection is open.
   *
   * Throws `DBM_INVALID_OPTION` for a declaration that cannot be, `DBM_UNSUPPORTED` on a type that has no SQL,
   * `DBM_PACKAGE_NOT_INSTALLED` without knex.
   */
  repository<T extends object>(options: RepositoryOptions<T>): Repository<T> {
    const { name, type } = this;
    return createRepository<T>({ name, type, scope: () => this.ambientTransaction ?? this.database() }, options);
  }

  /**
   * The statement of a file in `sql_path`, with its values, for every method of the database and of transactions that takes a
   * statement: `db.query(primary.sql('users/by-id', { id: 7 }))`. Throws `DBM_UNKNOWN_QUERY` for a name that there is not,
   * `DBM_SQL_FILES` when files are wrong, or as {@link sqlFiles} does.
   */
  sql<N extends QueryName<SqlQueries>>(name: N, ...values: QueryValues<SqlQueries, N>): NamedSql {
    return this.sqlFiles().statement(name, ...values);
  }

  /**
   * The statements in files that this connection finds in `sql_path`; the same object each time. Throws `DBM_NOT_SQL` when it is no
   * SQL database, `DBM_INVALID_OPTION` when no folder is named.
   *
   * @param path another folder, for an object of its own
   */
  sqlFiles(path?: string): SqlFiles<SqlQueries> {
    if (path !== undefined) return this.#newSqlFiles(path);
    const { sqlPath } = this.config.options;
    if (sqlPath === undefined) {
      throw new DbManagerError('DBM_INVALID_OPTION', 'no folder of statements is named', {
        connectionName: this.name,
        option: 'sql_path',
      });
    }
    this.#sqlFiles ??= this.#newSqlFiles(sqlPath);
    return this.#sqlFiles;
  }

  #newSqlFiles(path: string): SqlFiles<SqlQueries> {
    const dialect = this.dialect ?? this.engine.sql;
    if (dialect === undefined) throw new NotSqlDatabaseError(this.name, 'a statement');
    const { sqlReload: reload } = this.config.options;
    return new SqlFiles({ path, type: this.type, dialect, connectionName: this.name, reload });
  }

  /**
   * The migrations of this connection, as its configuration says unless the options do; it need not be connected yet. They
   * run on a connection of their own, so call them outside transactions.
   */
  migrations(options: MigrationsOptions = {}): Migrations {
    const {
      migrationsPath: path,
      migrationsTable: table,
      migrationsLockTimeoutMs: lockTimeoutMs,
    } = this.config.options;
    const { clock, random, logger } = this.#context;
    return new Migrations(this, { path, table, lockTimeoutMs, clock, random, logger, ...options });
  }

  /**
   * What the application keeps in this database: sessions, access tokens, tenants, workload metrics, rate limits. It costs little to
   * make and holds nothing; in an ambient transaction it works there. Throws `DBM_UNSUPPORTED` on a type that has no stores,
   * `DBM_INVALID_OPTION` for a bad prefix of tables.
   */
  stores(options: StoresOptions = {}): Stores {
    const { name: connectionName, type, closing } = this;
    const { clock, random, logger } = this.#context;
    const place = () => this.ambientTransaction ?? this.database();
    return new Stores({ ...options, connectionName, type, closing, clock, random, logger, place });
  }

  /** As that of {@link ManagedConnection}. Others who keep results are told of what was written until the end. */
  override async close(options?: Parameters<ManagedConnection['close']>[0]): Promise<PoolCloseReport> {
    const report = await super.close(options);
    await this.queryCache?.close();
    return report;
  }

  override stats(): ConnectionStats {
    return { ...super.stats(), cache: this.queryCache?.stats() };
  }

  /**
   * As that of {@link ManagedConnection}; with `migrate_on_start` pending migrations are then applied. When they fail, the
   * connection is closed again and the call rejects with their error. Rejects with `DBM_PACKAGE_NOT_INSTALLED` when ioredis is
   * missing and `cache_url` needs it.
   */
  override async connect(signal?: AbortSignal): Promise<void> {
    this.queryCache?.load();
    const starts = this.state === 'registered' || this.state === 'failed';
    await super.connect(signal);
    if (!starts || !this.config.options.migrateOnStart) return;
    try {
      await this.migrations().up({ signal });
    } catch (error) {
      await this.disconnect();
      throw error;
    }
  }
}

/** The same, with the cache told of every write. */
function watched(setup: ManagedConnectionSetup, cache: QueryCache): ManagedConnectionSetup {
  return { ...setup, context: { ...setup.context, observe: observers(setup.context.observe, cache.observe) } };
}

function traced(
  transactions: TransactionSource<ConnectionTransaction>,
  { config, recorder }: ManagedConnectionSetup,
): TransactionSource<ConnectionTransaction> {
  if (!config.options.enableTracing || recorder?.transaction === undefined) return transactions;
  return new TracedTransactions(transactions, recorder.transaction.bind(recorder));
}
