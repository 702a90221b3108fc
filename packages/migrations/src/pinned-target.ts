import {
  type AcquireOptions,
  type BridgeTarget,
  type ConnectionConfig,
  type Engine,
  type Lane,
  type Lease,
  type LeaseCounts,
  PinnedSource,
  type TransactionRecorder,
} from '@dbmanager/core';

/** A named connection as a run of migrations sees it: everything takes place on one connection of its pool. */
export class PinnedTarget implements BridgeTarget {
  readonly name: string;
  readonly type: string;
  readonly config: ConnectionConfig;
  readonly closing: AbortSignal;
  readonly transactions?: TransactionRecorder;
  readonly writesTold?: () => Promise<void> | undefined;
  readonly #target: BridgeTarget;
  readonly #source: PinnedSource<unknown>;

  private constructor(target: BridgeTarget) {
    this.name = target.name;
    this.type = target.type;
    this.config = target.config;
    this.closing = target.closing;
    if (target.transactions !== undefined) this.transactions = target.transactions;
    if (target.writesTold !== undefined) this.writesTold = () => target.writesTold?.();
    this.#target = target;
    this.#source = new PinnedSource(target);
  }

  /** Borrows the connection; rejects with what waiting for one is refused with. */
  static async borrow(target: BridgeTarget, signal: AbortSignal | undefined): Promise<PinnedTarget> {
    const pinned = new PinnedTarget(target);
    const lease = await pinned.acquire({ signal, lane: 'write' });
    lease.release();
    return pinned;
  }

  get engine(): Engine {
    return this.#target.engine;
  }

  get counts(): LeaseCounts {
    return this.#target.counts;
  }

  acquire(options?: AcquireOptions & { readonly lane?: Lane }): Promise<Lease<unknown>> {
    return this.#source.acquire(options);
  }

  holding<T>(work: () => T): T {
    return this.#target.holding(work);
  }

  /** Gives the connection back. */
  release(error?: unknown): void {
    this.#source.release(error);
  }

  /** Gives the connection back to be closed, with whatever it holds on the server. */
  discard(reason: unknown): void {
    this.#source.discard(reason);
  }
}
