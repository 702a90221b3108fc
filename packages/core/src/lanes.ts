import type { ConnectionConfig, ConnectionOptions } from './connection-options.js';
import type { ConnectionFactory } from './pool/connection-factory.js';
import type { ConnectionPool } from './pool/connection-pool.js';
import type { AcquireOptions, Lease } from './pool/lease.js';
import { Pool, type PoolCloseReport } from './pool/pool.js';
import type { PoolEvents } from './pool/pool-events.js';
import { CLOSE_REASONS, type CloseReason, type DurationHistogram, type PoolStats } from './pool/pool-stats.js';
import type { Engine, Lane, LeaseCounts, LeaseSource, ProviderContext } from './provider.js';

/**
 * The pools of one engine: the main lane, and a lane of readers where the engine has them. `max_open_conns` and
 * `max_idle_conns` hold for both together.
 */
export class Lanes<C> implements LeaseSource<C> {
  readonly name: string;
  readonly config: ConnectionConfig;
  readonly write: ConnectionPool<C>;
  /** The same pool as `write` when the engine has no readers. */
  readonly read: ConnectionPool<C>;
  readonly #pools: readonly ConnectionPool<C>[];

  constructor(engine: Engine<C>, config: ConnectionConfig, context: ProviderContext) {
    this.name = config.name;
    this.config = config;
    const { maxOpenConns, maxIdleConns } = config.options;
    const writers = Math.min(maxOpenConns, engine.maxOpen ?? maxOpenConns);
    const idleWriters = Math.min(maxIdleConns, writers);
    const readers = maxOpenConns - writers;

    const pool = (factory: ConnectionFactory<C>, maxOpen: number, maxIdle: number) => {
      const options: ConnectionOptions = { ...config.options, maxOpenConns: maxOpen, maxIdleConns: maxIdle };
      return new Pool({ name: config.name, factory, options, ...context });
    };
    this.write = engine.pool ?? pool(engine.factory, writers, idleWriters);
    this.read =
      engine.pool !== undefined || engine.readers === undefined || readers === 0
        ? this.write
        : pool(engine.readers, readers, Math.min(maxIdleConns - idleWriters, readers));
    this.#pools = this.read === this.write ? [this.write] : [this.write, this.read];
  }

  acquire(options?: AcquireOptions & { readonly lane?: Lane }): Promise<Lease<C>> {
    return (options?.lane === 'read' ? this.read : this.write).acquire(options);
  }

  tryAcquire(lane?: Lane): Lease<C> | undefined {
    return (lane === 'read' ? this.read : this.write).tryAcquire?.();
  }

  get counts(): LeaseCounts {
    const write = this.write.counts;
    if (this.read === this.write) return write;
    const read = this.read.counts;
    return {
      max: write.max + read.max,
      open: write.open + read.open,
      idle: write.idle + read.idle,
      inUse: write.inUse + read.inUse,
      pending: write.pending + read.pending,
    };
  }

  holding<T>(work: () => T): T {
    return this.write.holding(work);
  }

  get held(): boolean {
    return this.write.held ?? false;
  }

  stats(): PoolStats {
    const [first, ...others] = this.#pools.map((pool) => pool.stats()) as [PoolStats, ...PoolStats[]];
    return others.reduce(addStats, first);
  }

  /** Rejects when the database does not answer. Never waits for a full pool. */
  probe(signal: AbortSignal): Promise<void> {
    return this.write.probe(signal);
  }

  /** Proves a new connection, then retires all older ones; a failure leaves everything as it was. */
  async renew(options: { readonly signal: AbortSignal; readonly immediate?: boolean }): Promise<void> {
    await this.write.renew({ ...options, reason: 'reload' });
    if (this.read !== this.write) this.read.flush('reload');
  }

  suspend(): void {
    for (const pool of this.#pools) pool.suspend();
  }

  resume(): void {
    for (const pool of this.#pools) pool.resume();
  }

  /** Drains and destroys all lanes side by side. Never rejects. */
  async close(options: { readonly drainTimeoutMs?: number; readonly signal?: AbortSignal }): Promise<PoolCloseReport> {
    const reports = await Promise.all(this.#pools.map((pool) => pool.close(options)));
    return { drained: reports.every((report) => report.drained), held: reports.flatMap((report) => report.held) };
  }

  /** Listens to one event of every lane. */
  on<E extends keyof PoolEvents>(event: E, listener: (payload: PoolEvents[E]) => void): void {
    for (const pool of this.#pools) pool.events.on(event, listener);
  }
}

function addStats(a: PoolStats, b: PoolStats): PoolStats {
  const closedBy = Object.fromEntries(CLOSE_REASONS.map((reason) => [reason, a.closedBy[reason] + b.closedBy[reason]]));
  return {
    max: a.max + b.max,
    maxIdle: a.maxIdle + b.maxIdle,
    open: a.open + b.open,
    idle: a.idle + b.idle,
    inUse: a.inUse + b.inUse,
    connecting: a.connecting + b.connecting,
    pending: a.pending + b.pending,
    suspended: a.suspended || b.suspended,
    saturated: a.saturated || b.saturated,
    down: a.down || b.down,
    generation: Math.max(a.generation, b.generation),
    oldestBorrowMs: Math.max(a.oldestBorrowMs, b.oldestBorrowMs),
    acquired: a.acquired + b.acquired,
    waitCount: a.waitCount + b.waitCount,
    waitDurationMs: a.waitDurationMs + b.waitDurationMs,
    acquireTimeouts: a.acquireTimeouts + b.acquireTimeouts,
    created: a.created + b.created,
    createFailures: a.createFailures + b.createFailures,
    destroyed: a.destroyed + b.destroyed,
    closedBy: closedBy as Record<CloseReason, number>,
    leaks: a.leaks + b.leaks,
    dirtyReleases: a.dirtyReleases + b.dirtyReleases,
    createTime: addHistograms(a.createTime, b.createTime),
    waitTime: addHistograms(a.waitTime, b.waitTime),
    useTime: addHistograms(a.useTime, b.useTime),
  };
}

function addHistograms(a: DurationHistogram, b: DurationHistogram): DurationHistogram {
  return {
    counts: a.counts.map((count, bucket) => count + (b.counts[bucket] ?? 0)),
    count: a.count + b.count,
    sumSeconds: a.sumSeconds + b.sumSeconds,
  };
}
