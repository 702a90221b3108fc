import type { Clock } from './clock.js';
import type { ConnectionConfig } from './connection-options.js';
import type { Logger } from './logger.js';
import type { OptionTable } from './option-table.js';
import type { ConnectionFactory } from './pool/connection-factory.js';
import type { ConnectionPool } from './pool/connection-pool.js';
import type { AcquireOptions, Lease } from './pool/lease.js';
import type { Random } from './random.js';
import type { SqlEngine } from './sql.js';
import type { SqlDialect } from './sql-dialect.js';
import type { ObserveStatements } from './statement-observer.js';
import type { TransactionTarget } from './transaction-target.js';

/** A rule of the configuration that is broken. */
export interface ConfigProblem {
  /** Keys from the root, as in the YAML: `['connections', 'primary', 'port']`. */
  readonly path: readonly (string | number)[];
  /** Stable and machine-readable: `unknown-key`, `wrong-type`, `out-of-range` … */
  readonly rule: string;
  /** What is wrong and what to write; never a secret's value. */
  readonly message: string;
  /** `error` unless said; a `warning` does not make the configuration invalid. */
  readonly severity?: 'error' | 'warning';
  /** Mark the key rather than the value at `path`. */
  readonly atKey?: boolean;
  /** The key to change, where `path` does not lead to it: one that is missing. */
  readonly option?: string;
}

/** What every provider is given, so that tests can rule time and chance. */
export interface ProviderContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Who is to be told of statements. Left out: nobody, and a provider then does nothing for it. */
  readonly observe?: ObserveStatements | undefined;
}

/**
 * Opens databases of one type. Published by a provider package as a constant; holds no state and loads no driver until
 * `open` is called. A third party writes one against this contract and runs `runProviderSuite` of `@dbmanager/testkit`.
 */
export interface Provider<C = unknown, O extends object = object> {
  /** The `type` of the YAML, e.g. `postgres`. */
  readonly type: string;
  /** Other spellings of `type`. */
  readonly aliases?: readonly string[];
  /** The keys it adds to a connection. */
  readonly options: OptionTable;
  /** Of an SQL database: how its statements are written. Left out: that is not known before it is open. */
  readonly dialect?: SqlDialect;
  /**
   * Rules that concern several keys, or the form of one, checked before any socket opens. `connection.options` is
   * complete. Paths are relative to the connection.
   */
  check?(connection: ConnectionConfig<O>): readonly ConfigProblem[];
  /** Rules that concern several connections of this type (one file named twice). Paths are from the root. */
  checkAll?(connections: readonly ConnectionConfig<O>[]): readonly ConfigProblem[];
  /**
   * Loads the driver and prepares the engine; opens no connection. Rejects with `DBM_PACKAGE_NOT_INSTALLED` when the
   * driver is missing.
   */
  open(connection: ConnectionConfig<O>, context: ProviderContext): Promise<Engine<C>>;
  /**
   * Wraps a pool or handle of the driver that the caller owns: connections are borrowed from it and returned, and it is
   * never closed. Left out: this type cannot adopt.
   */
  adopt?(handle: unknown, connection: ConnectionConfig<O>, context: ProviderContext): Promise<Engine<C>>;
}

/** One database as a provider has prepared it. What is optional is a capability; absent means the engine has it not. */
export interface Engine<C = unknown> {
  /** Makes the connections of the main lane. */
  readonly factory: ConnectionFactory<C>;
  /**
   * The pool that the driver keeps itself, where it does; there is then one lane, and the manager makes no pool for it.
   * Left out: the manager pools what `factory` makes.
   */
  readonly pool?: ConnectionPool<C>;
  /** Caps `max_open_conns` of the main lane, for an engine that allows a fixed number of writers. */
  readonly maxOpen?: number;
  /**
   * A second lane for reads, for an engine whose readers do not queue behind its writer. Its pool gets what
   * `max_open_conns` leaves after `maxOpen`. Left out, or nothing left: reads take the main lane.
   */
  readonly readers?: ConnectionFactory<C>;
  /** For metrics and traces, in OpenTelemetry's terms. */
  readonly identity: EngineIdentity;
  /**
   * Asks the database whether it is well, on a way of its own that takes no slot of the pool. Left out: the manager
   * validates an idle connection, or opens and closes one beside the pool when none is idle.
   */
  probe?(signal: AbortSignal): Promise<void>;
  /** Present on SQL databases. */
  readonly sql?: SqlEngine<C>;
  /** The native handle over the shared pool: behaves as the driver's own pool, except that ending it only detaches. */
  native?(source: LeaseSource<C>): unknown;
  /**
   * The native handle bound to a transaction: what {@link TransactionTarget.native} gives. Behaves as a connection that the
   * driver's own pool has lent, except that each statement takes its turn and is checked, and giving it back does nothing.
   */
  nativeTransaction?(tx: TransactionTarget<C>): unknown;
  /** Frees what the engine itself holds, after its pools are closed. */
  close?(): Promise<void>;
}

/** Where an engine's database is; no secrets. */
export interface EngineIdentity {
  /** `db.system.name`: `postgresql`, `sqlite` … */
  readonly system: string;
  /** `db.namespace`: the database's name. */
  readonly namespace?: string;
  /** `server.address`. */
  readonly address?: string;
  /** `server.port`. */
  readonly port?: number;
}

/** Which lane an acquire takes. An engine without a read lane treats both alike. */
export type Lane = 'write' | 'read';

/** Counts of a lease source that facades show. */
export interface LeaseCounts {
  readonly max: number;
  readonly open: number;
  readonly idle: number;
  readonly inUse: number;
  readonly pending: number;
}

/**
 * Where sessions, native handles and bridges borrow connections: one named connection of the manager, for ever, whatever
 * reconnects happen underneath.
 */
export interface LeaseSource<C = unknown> {
  /** Name of the connection, for errors. */
  readonly name: string;
  readonly config: ConnectionConfig;
  acquire(options?: AcquireOptions & { readonly lane?: Lane }): Promise<Lease<C>>;
  /**
   * Borrows a connection that is there to be had at once: as `acquire`, without a promise. Undefined when there is none,
   * for whatever reason; `acquire` then waits for one or says why. Left out: there never is.
   */
  tryAcquire?(lane?: Lane): Lease<C> | undefined;
  readonly counts: LeaseCounts;
  /**
   * Runs `work` marked as holding a lease of this source: an acquire from inside it that would queue behind a full pool
   * fails at once with `DBM_POOL_DEADLOCK` instead of waiting for itself.
   */
  holding<T>(work: () => T): T;
  /** Whether the code that runs now descends from such work, and must not wait for others who want a lease. Left out: not known. */
  readonly held?: boolean;
}
