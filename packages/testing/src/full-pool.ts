import { type BridgeTarget, KnownOptions, type Lane, type Lease } from '@dbmanager/core';
import { assertConnection, invalid } from './checks.js';

/** A pool of which a test holds connections, so that others must wait. */
export class FullPool implements AsyncDisposable {
  readonly #leases: Lease<unknown>[];

  private constructor(leases: Lease<unknown>[]) {
    this.#leases = leases;
  }

  /**
   * Borrows connections until no more than `leave` are to be had. Rejects as `acquire` of the connection does; then nothing is held.
   *
   * ```ts
   * await using full = await fillPool(mgr.get('primary'));
   * await expect(handler(request)).resolves.toMatchObject({ status: 503 });
   * ```
   */
  static async of(connection: BridgeTarget, leave: number): Promise<FullPool> {
    const { max } = connection.counts;
    if (!Number.isInteger(leave) || leave < 0 || leave > max) {
      throw invalid('leave', `of ${max} connections ${leave} cannot be left`, connection.name);
    }
    const full = new FullPool([]);
    try {
      for (const lane of lanesOf(connection).slice(leave)) full.#leases.push(await connection.acquire({ lane }));
    } catch (error) {
      await full.release();
      throw error;
    }
    return full;
  }

  /** Gives everything back; does nothing the second time. */
  async release(): Promise<void> {
    for (const lease of this.#leases.splice(0)) lease.release();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }
}

/** Options of {@link fillPool}. */
export interface FillPoolOptions {
  /** Connections that others may still have. Default: 0. */
  readonly leave?: number;
}

const FILL_POOL_OPTIONS = new KnownOptions<FillPoolOptions>('fillPool', { leave: true });

/** {@link FullPool.of}, of which nothing is left unless said. Rejects with `DBM_INVALID_OPTION` for what is no connection. */
export async function fillPool(connection: BridgeTarget, options: FillPoolOptions = {}): Promise<FullPool> {
  assertConnection(connection, 'fillPool fills the pool of');
  FILL_POOL_OPTIONS.check(options, connection.name);
  return FullPool.of(connection, options.leave ?? 0);
}

/** The lane of each connection that there can be. */
function lanesOf({ counts: { max }, engine: { readers, maxOpen = max } }: BridgeTarget): readonly Lane[] {
  const writers = readers === undefined ? max : Math.min(max, maxOpen);
  return Array.from({ length: max }, (_, index) => (index < writers ? 'write' : 'read'));
}
