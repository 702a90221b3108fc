import { type Clock, systemClock } from './clock.js';
import { resolveConfig } from './config/resolve-config.js';
import type { ConnectionConfig, ManagerConfig } from './connection-options.js';
import { DbManagerError, StartupError } from './errors.js';
import { EventHub, type EventSource } from './events.js';
import type { ConnectionHealth } from './health/connection-health.js';
import { HealthMonitor } from './health/health-monitor.js';
import { logLifecycle } from './lifecycle-log.js';
import { type Logger, silentLogger } from './logger.js';
import type { ManagedConnection, ManagedConnectionSetup } from './managed-connection.js';
import type { ManagerEvents } from './manager-events.js';
import type { Borrow } from './pool/pool-events.js';
import type { Engine, Provider, ProviderContext } from './provider.js';
import type { Random } from './random.js';
import type { StatementRecorder } from './statement-stats.js';
import type { ManagerStats } from './stats.js';

/** A provider of any connection and option type, as lists of them hold it. */
// biome-ignore lint/suspicious/noExplicitAny: a provider's own types are known to the provider alone
export type AnyProvider = Provider<any, any>;

/** What a manager is built from, besides its configuration. */
export interface ManagerSetup<T extends ManagedConnection> {
  /** Asked by `type` or alias. A connection whose type has none fails to start with `DBM_UNKNOWN_PROVIDER`. */
  readonly providers: readonly AnyProvider[];
  /** Default: the machine's monotonic clock. */
  readonly clock?: Clock;
  /** Default: `Math.random`. Seed it to repeat a run. */
  readonly random?: Random;
  /** Default: logs nothing. */
  readonly logger?: Logger;
  /** Makes what keeps account of the statements of a connection; undefined for one whose statements nobody wants to know of. */
  createRecorder?(config: ConnectionConfig, context: ProviderContext): StatementRecorder | undefined;
  /** Makes a connection: lets a subclass of `ManagedConnection` add typed handles. */
  createConnection(setup: ManagedConnectionSetup): T;
}

/** Who still held a connection when a close ran out of time. */
export interface CloseReport {
  /** True when everything came back before the deadline. */
  readonly drained: boolean;
  /** By connection name; only those with something held. */
  readonly held: Readonly<Record<string, readonly Borrow[]>>;
}

/** What `register` takes beside the handle: keys of a connection as in the YAML. */
export interface RegisterOptions {
  readonly type: string;
  /** The driver's pool or handle. It stays the caller's: closing the manager does not end it. */
  readonly handle: unknown;
  readonly [key: string]: unknown;
}

/** Called with a snapshot after each health check and by `publishMetrics()`. */
export type StatsPublisher = (stats: ManagerStats) => void;

/**
 * Named connections, one pool each: opens them, finds them, watches them, closes them. Everything it hands out stays
 * valid across reconnects until `close()`.
 */
export class ConnectionManager<T extends ManagedConnection = ManagedConnection> {
  readonly #setup: ManagerSetup<T>;
  readonly #context: ProviderContext;
  readonly #events = new EventHub<ManagerEvents>();
  readonly #monitor: HealthMonitor;
  readonly #connections = new Map<string, T>();
  readonly #publishers = new Set<StatsPublisher>();
  #default: string | undefined;
  #connecting: Promise<void> | undefined;
  #watching = false;
  #closed: Promise<CloseReport> | undefined;

  /** Assigns only: opens nothing and loads no driver. */
  constructor(config: ManagerConfig, setup: ManagerSetup<T>) {
    this.#setup = setup;
    this.#context = {
      clock: setup.clock ?? systemClock,
      random: setup.random ?? Math.random,
      logger: setup.logger ?? silentLogger,
    };
    this.#monitor = new HealthMonitor(this.#context.clock, this.#context.random);
    for (const connection of config.connections)
      this.#add(connection, (context) => this.#openEngine(connection, context));
    this.#default = config.defaultConnection;
    if (setup.logger !== undefined) logLifecycle(this.#events, setup.logger, (name) => this.#connections.get(name));
    this.#events.on('health', () => this.publishMetrics());
  }

  /** What happens to the connections and their pools. */
  get events(): EventSource<ManagerEvents> {
    return this.#events;
  }

  // --- starting and stopping

  /**
   * Opens all connections side by side, each as its `startup` says. All or nothing for the required ones: when one
   * fails, everything that was opened is closed again and a `StartupError` names each failure; a later call may retry.
   * Calling it while it runs or again is safe. Starts the health checks.
   */
  connect(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    if (this.#closed !== undefined) return Promise.reject(this.#closedError());
    this.#connecting ??= this.#connectAll(options.signal).finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  /**
   * Refuses new work, waits for leases up to each connection's `drain_timeout`, then closes by force; all connections
   * side by side. Tells who still held what. Idempotent; never rejects; leaves no timer and no socket.
   */
  close(options: { readonly drainTimeoutMs?: number; readonly signal?: AbortSignal } = {}): Promise<CloseReport> {
    this.#closed ??= this.#closeAll(options);
    return this.#closed;
  }

  // --- finding connections

  /** The connection of that name; throws `DBM_UNKNOWN_CONNECTION`, or `DBM_CLOSED` after `close()`. */
  get(name: string): T {
    if (this.#closed !== undefined) throw this.#closedError();
    const connection = this.#connections.get(name);
    if (connection === undefined) throw this.#unknown(name);
    return connection;
  }

  /** All connections by name, in the order of the configuration: a copy. */
  getAll(): Map<string, T> {
    return new Map(this.#connections);
  }

  /** The connections that carry every one of these tags. */
  find(tags: Readonly<Record<string, string>>): T[] {
    const wanted = Object.entries(tags);
    return [...this.#connections.values()].filter(({ tags: has }) =>
      wanted.every(([key, value]) => has[key] === value),
    );
  }

  /** The default connection; throws `DBM_NO_DEFAULT_CONNECTION` when there is none. */
  getDefault(): T {
    if (this.#closed !== undefined) throw this.#closedError();
    if (this.#default === undefined) {
      throw new DbManagerError('DBM_NO_DEFAULT_CONNECTION', 'no default connection; set default_connection', {
        option: 'default_connection',
      });
    }
    return this.get(this.#default);
  }

  /** Makes another connection the default, for all later calls of `getDefault`; handles given out stay valid. */
  setDefaultDatabase(name: string): void {
    this.get(name);
    this.#default = name;
    this.#events.emit('default', { connection: name });
  }

  // --- adding and removing

  /**
   * Adds a connection over a pool or handle of the driver that the caller owns and goes on owning. Rejects with
   * `DBM_DUPLICATE_CONNECTION`, `DBM_UNKNOWN_PROVIDER`, `DBM_CONFIG_INVALID`, `DBM_UNSUPPORTED` when the type cannot
   * adopt, or what its first connect fails with; then it is not added.
   */
  async register(name: string, { handle, ...input }: RegisterOptions): Promise<T> {
    if (this.#closed !== undefined) throw this.#closedError();
    if (this.#connections.has(name)) {
      throw new DbManagerError('DBM_DUPLICATE_CONNECTION', 'the name is taken', { connectionName: name });
    }
    const provider = this.#provider(input.type, name);
    if (provider.adopt === undefined) {
      throw new DbManagerError('DBM_UNSUPPORTED', `type ${input.type} cannot adopt a driver pool`, {
        connectionName: name,
      });
    }
    const { adopt } = provider;
    const context = { providers: [provider], adopting: true };
    const [config] = resolveConfig({ connections: { [name]: input } }, context).config.connections as [
      ConnectionConfig,
    ];
    const connection = this.#add(config, (context) => adopt.call(provider, handle, config, context));
    try {
      await connection.connect();
    } catch (error) {
      await this.remove(name);
      throw error;
    }
    if (this.#watching) this.#monitor.watch(connection);
    return connection;
  }

  /** Closes a connection and forgets it; does nothing for an unknown name. */
  async remove(name: string): Promise<void> {
    const connection = this.#connections.get(name);
    if (connection === undefined) return;
    this.#monitor.unwatch(name);
    this.#connections.delete(name);
    if (this.#default === name) this.#default = undefined;
    await connection.close();
    this.#events.emit('removed', { connection: name });
  }

  // --- operating

  /** Checks every connection that is open, side by side, and gives what is known of all. Never rejects for a failed check. */
  async healthCheck(options: { readonly signal?: AbortSignal } = {}): Promise<ConnectionHealth[]> {
    const connections = [...this.#connections.values()];
    await Promise.allSettled(
      connections.filter(({ state }) => state !== 'registered').map((each) => each.healthCheck(options.signal)),
    );
    return connections.map((connection) => connection.health());
  }

  /** Reconnects one connection, or all side by side; see `ManagedConnection.reconnect`. */
  async reconnect(name?: string, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await Promise.all(this.#some(name).map((connection) => connection.reconnect(options.signal)));
  }

  /** Lets acquires of one connection, or all, wait until `resume`. */
  suspend(name?: string): void {
    for (const connection of this.#some(name)) connection.suspend();
  }

  resume(name?: string): void {
    for (const connection of this.#some(name)) connection.resume();
  }

  /** A snapshot of everything; asks no database. */
  stats(): ManagerStats {
    const connections = Object.fromEntries([...this.#connections].map(([name, each]) => [name, each.stats()]));
    const statuses = Object.values(connections).map(({ health }) => health.status);
    return {
      totalConnections: statuses.length,
      healthyCount: statuses.filter((status) => status === 'healthy').length,
      unhealthyCount: statuses.filter((status) => status === 'unhealthy' || status === 'disconnected').length,
      connections,
    };
  }

  /** Hands a snapshot to every attached publisher; also done after each health check. */
  publishMetrics(): void {
    if (this.#publishers.size === 0) return;
    const stats = this.stats();
    for (const publish of this.#publishers) publish(stats);
  }

  /** Attaches a publisher; returns the function that detaches it. */
  attachPublisher(publisher: StatsPublisher): () => void {
    this.#publishers.add(publisher);
    return () => {
      this.#publishers.delete(publisher);
    };
  }

  // --- within

  #add(config: ConnectionConfig, openEngine: (context: ProviderContext) => Promise<Engine>): T {
    const context = config.options.enableLogging ? this.#context : { ...this.#context, logger: silentLogger };
    const recorder = this.#setup.createRecorder?.(config, context);
    const connection = this.#setup.createConnection({
      config,
      openEngine,
      context: recorder === undefined ? context : { ...context, observe: recorder.observe },
      events: this.#events,
      ...(recorder && { recorder }),
    });
    this.#connections.set(config.name, connection);
    this.#events.emit('added', { connection: config.name });
    return connection;
  }

  async #openEngine(config: ConnectionConfig, context: ProviderContext): Promise<Engine> {
    return this.#provider(config.type, config.name).open(config, context);
  }

  #provider(type: string, connectionName: string): AnyProvider {
    const provider = this.#setup.providers.find((each) => each.type === type || each.aliases?.includes(type));
    if (provider !== undefined) return provider;
    const known = this.#setup.providers.map((each) => each.type).join(', ');
    throw new DbManagerError('DBM_UNKNOWN_PROVIDER', `no provider for type "${type}"; there are ${known}`, {
      connectionName,
      option: 'type',
    });
  }

  async #connectAll(signal: AbortSignal | undefined): Promise<void> {
    const connections = [...this.#connections.values()];
    const results = await Promise.allSettled(connections.map((connection) => connection.connect(signal)));
    if (this.#closed !== undefined) throw this.#closedError();
    const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as DbManagerError] : []));
    if (errors.length > 0) {
      await Promise.all(connections.map((connection) => connection.disconnect()));
      throw new StartupError(errors);
    }
    this.#watching = true;
    for (const connection of connections) this.#monitor.watch(connection);
  }

  async #closeAll(options: { readonly drainTimeoutMs?: number; readonly signal?: AbortSignal }): Promise<CloseReport> {
    this.#events.emit('closing', {});
    this.#monitor.stop();
    const entries = [...this.#connections];
    const reports = await Promise.all(entries.map(([, connection]) => connection.close(options)));
    const held = entries.map(([name], index) => [name, reports[index]?.held ?? []] as const);
    this.#events.emit('closed', {});
    return {
      drained: reports.every((report) => report.drained),
      held: Object.fromEntries(held.filter(([, borrows]) => borrows.length > 0)),
    };
  }

  #some(name: string | undefined): T[] {
    return name === undefined ? [...this.#connections.values()] : [this.get(name)];
  }

  #unknown(name: string): DbManagerError {
    const known = [...this.#connections.keys()].join(', ');
    return new DbManagerError('DBM_UNKNOWN_CONNECTION', `no connection has this name; there are: ${known}`, {
      connectionName: name,
    });
  }

  #closedError(): DbManagerError {
    return new DbManagerError('DBM_CLOSED', 'the manager is closed');
  }
}
