import { randomUUID } from 'node:crypto';
import {
  type Clock,
  DbManagerError,
  KnownOptions,
  type Logger,
  type Random,
  silentLogger,
  systemClock,
  toMilliseconds,
} from '@dbmanager/core';
import type { Database, Transaction } from '@dbmanager/database';
import { AccessTokenStore } from './access-token-store.js';
import { RateLimits } from './rate-limits.js';
import { SessionStore, type SessionStoreOptions } from './session-store.js';
import { StoreCleaner } from './store-cleaner.js';
import { StoreContext, type StoreOptions } from './store-context.js';
import { StoreLease } from './store-lease.js';
import { type StoreMigration, selectedTables, storeMigration, type TableSelection } from './store-migration.js';
import type { StoreTable } from './store-table.js';
import { createStatements } from './table-sql.js';
import { TenantStore } from './tenant-store.js';
import { WorkloadMetricsStore } from './workload-metrics-store.js';

const DEFAULT_CLEAN_UP_INTERVAL_MS = 900_000;
/** Clocks of processes differ: what one holds to be over is left in peace for so long, as another may not. */
const GRACE_MS = 60_000;
/** How often a table is created anew when others create it at the same moment. */
const CREATE_ATTEMPTS = 5;

/** Options of stores. */
export interface StoresOptions extends SessionStoreOptions {
  /** What names of tables begin with: small letters, digits and `_`. Default: nothing. */
  readonly prefix?: string | undefined;
}

/** What {@link Stores} are made of besides their options. */
export interface StoresSetup extends StoresOptions {
  readonly connectionName: string;
  /** The provider's `type`. */
  readonly type: string;
  /** Where statements run: the database of the connection, or the transaction that the running code is in. */
  place(): Database | Transaction;
  /** Stops clean-ups when aborted. */
  readonly closing?: AbortSignal | undefined;
  /** Default: the machine's. */
  readonly clock?: Clock | undefined;
  /** Milliseconds since 1970. Default: `Date.now`. */
  readonly now?: (() => number) | undefined;
  /** Default: `Math.random`. */
  readonly random?: Random | undefined;
  /** Told of clean-ups that failed. Default: logs nothing. */
  readonly logger?: Logger | undefined;
}

/** Which tables are created or dropped. */
export interface TableOptions extends StoreOptions {
  /** Default: all. */
  readonly tables?: TableSelection | undefined;
}

/** Options of {@link Stores.startCleanUp}. */
export interface CleanerOptions {
  /** Between two turns: milliseconds, or a text as in the configuration. Default: `15m`. */
  readonly interval?: number | string | undefined;
  /** How long workload metrics are kept. Default: for ever. */
  readonly keepMetrics?: number | string | undefined;
}

const SETUP = new KnownOptions<StoresSetup>('stores', {
  prefix: true,
  maxSessionBytes: true,
  connectionName: true,
  type: true,
  place: true,
  closing: true,
  clock: true,
  now: true,
  random: true,
  logger: true,
});
const TABLE_OPTIONS = new KnownOptions<TableOptions>('tables of stores', { tables: true, signal: true });
const CLEANER_OPTIONS = new KnownOptions<CleanerOptions>('a clean-up', { interval: true, keepMetrics: true });

/** The stores on a database or in a transaction. */
export class BoundStores {
  readonly sessions: SessionStore;
  readonly accessTokens: AccessTokenStore;
  readonly tenants: TenantStore;
  readonly workloadMetrics: WorkloadMetricsStore;
  readonly rateLimits: RateLimits;

  constructor(context: StoreContext, options: SessionStoreOptions) {
    this.sessions = new SessionStore(context, options);
    this.accessTokens = new AccessTokenStore(context);
    this.tenants = new TenantStore(context);
    this.workloadMetrics = new WorkloadMetricsStore(context);
    this.rateLimits = new RateLimits(context);
  }
}

/**
 * What applications keep in their databases: sessions, access tokens, tenants, workload metrics, rate limits. The same on every
 * SQL engine. They hold nothing themselves, so they need no closing and stay valid across reconnects.
 *
 * ```ts
 * const stores = mgr.get('primary').stores();
 * await stores.createTables();
 * await stores.sessions.save({ id, data: { cart: [] }, expiresAt: new Date(Date.now() + 3_600_000) });
 * await mgr.get('primary').transaction(async (tx) => stores.on(tx).tenants.save(tenant));
 * ```
 */
export class Stores extends BoundStores {
  readonly #context: StoreContext;
  readonly #setup: StoresSetup;

  /** Throws `DBM_UNSUPPORTED` for a type that has no stores, `DBM_INVALID_OPTION` for a bad option. */
  constructor(setup: StoresSetup) {
    const { connectionName, type, prefix = '', now = Date.now } = setup;
    SETUP.check(setup, connectionName);
    const context = new StoreContext({ connectionName, type, prefix, now, place: () => setup.place() });
    super(context, setup);
    this.#context = context;
    this.#setup = setup;
  }

  /** The same stores in a transaction: committed with it, or not. What is all or nothing by itself is a nested one there. */
  on(tx: Transaction): BoundStores {
    return new BoundStores(this.#context.on(tx), this.#setup);
  }

  /** Creates the tables that are not there; those that are stay as they are. Several processes may do so at once. */
  async createTables(options: TableOptions = {}): Promise<void> {
    const { dialect, prefix } = this.#context;
    const tables = this.#selected(options);
    const { signal } = options;
    for (const table of tables) {
      for (const sql of createStatements(dialect, prefix, table)) await this.#create(sql, { signal });
    }
  }

  /** `if not exists` does not know of what another process is just creating: it is there the next time. */
  async #create(sql: string, options: StoreOptions): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#setup.place().execute(sql, [], options);
        return;
      } catch (error) {
        if (attempt === CREATE_ATTEMPTS || !createdMeanwhile(error)) throw error;
      }
    }
  }

  /** Drops the tables, with all that is in them; those that are not there are no error. */
  async dropTables(options: TableOptions = {}): Promise<void> {
    const context = this.#context;
    const tables = this.#selected(options);
    const { signal } = options;
    for (const table of tables.toReversed()) {
      await this.#setup.place().execute(context.dialect.dropTable(context.name(table)), [], { signal });
    }
  }

  #selected(options: TableOptions): readonly StoreTable[] {
    const { connectionName } = this.#context;
    // A misspelt selection would mean all of them.
    TABLE_OPTIONS.check(options, connectionName);
    return selectedTables(options.tables, connectionName);
  }

  /** The tables as a migration of this connection: {@link storeMigration}. */
  migration(version: number | bigint, tables?: TableSelection): StoreMigration {
    return storeMigration({ type: this.#context.type, prefix: this.#context.prefix, version, tables });
  }

  /**
   * Cleans up what has expired at intervals from now on, in one process of all that do so on this database; it ends when the
   * connection closes, or by `stop()`. Sessions and tokens go a minute after their time, as clocks of processes differ. Throws
   * `DBM_INVALID_OPTION` for what is no duration, and for an option that there is not.
   */
  startCleanUp(options: CleanerOptions = {}): StoreCleaner {
    CLEANER_OPTIONS.check(options, this.#context.connectionName);
    const { interval = DEFAULT_CLEAN_UP_INTERVAL_MS, keepMetrics } = options;
    const { closing, clock = systemClock, random = Math.random, logger = silentLogger } = this.#setup;
    const { connectionName } = this.#context;
    const keepMetricsMs = keepMetrics === undefined ? undefined : this.#durationMs('keepMetrics', keepMetrics);
    return new StoreCleaner({
      clock,
      random,
      logger,
      connectionName,
      closing,
      lease: new StoreLease({ context: this.#context, name: 'clean-up', owner: randomUUID() }),
      intervalMs: this.#durationMs('interval', interval),
      clean: (call) => this.#clean(keepMetricsMs, call),
    });
  }

  async #clean(keepMetricsMs: number | undefined, options: StoreOptions): Promise<number> {
    const now = this.#context.now();
    const until = new Date(now - GRACE_MS);
    const sessions = await this.sessions.cleanUp({ ...options, until });
    const tokens = await this.accessTokens.cleanUp({ ...options, until });
    const limits = await this.rateLimits.cleanUp(options);
    const metrics =
      keepMetricsMs === undefined
        ? 0
        : await this.workloadMetrics.cleanUp({ ...options, until: new Date(now - keepMetricsMs) });
    return sessions + tokens + limits + metrics;
  }

  #durationMs(option: string, value: number | string): number {
    const ms = toMilliseconds(value);
    if (ms !== undefined && ms > 0) return ms;
    throw this.#context.invalid(option, `"${value}" is no duration above 0; write it as '15m', or in milliseconds`);
  }
}

/** An object of that name, or its entry in the catalogue, has come to be since the statement looked. */
function createdMeanwhile(error: unknown): boolean {
  return (
    error instanceof DbManagerError &&
    ['DBM_SYNTAX', 'DBM_UNIQUE_VIOLATION', 'DBM_DEADLOCK', 'DBM_SERIALIZATION_FAILURE'].includes(error.code)
  );
}
