import { type BridgeTarget, DbManagerError, type Lane, type Lease } from '@dbmanager/core';

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
      throw new DbManagerError('DBM_INVALID_OPTION', `of ${max} connections ${leave} cannot be left`, {
        connectionName: connection.name,
        option: 'leave',
      });
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

/** {@link FullPool.of}, of which nothing is left unless said. */
export function fillPool(connection: BridgeTarget, { leave = 0 }: { readonly leave?: number } = {}): Promise<FullPool> {
  return FullPool.of(connection, leave);
}

/** The lane of each connection that there can be. */
function lanesOf({ counts: { max }, engine: { readers, maxOpen = max } }: BridgeTarget): readonly Lane[] {
  const writers = readers === undefined ? max : Math.min(max, maxOpen);
  return Array.from({ length: max }, (_, index) => (index < writers ? 'write' : 'read'));
}
