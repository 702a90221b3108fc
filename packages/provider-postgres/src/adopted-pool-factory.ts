import { abortedError, type ConnectionFactory, type CreateContext, type ErrorVerdict } from '@dbmanager/core';
import { borrowFromPool } from '@dbmanager/provider-server';
import { cleanClient, isDirty, validateClient } from './client-care.js';
import { connectError, judge, lostError } from './errors.js';
import { isGone, type PgClient, type PgPool } from './pg-driver.js';

/** A client as pg-pool lends it. */
type BorrowedClient = PgClient & { release(destroy?: boolean): void };

/** Borrows clients from a `pg.Pool` that the caller owns. To destroy one is to give it back; the pool is never ended. */
export class AdoptedPoolFactory implements ConnectionFactory<PgClient> {
  readonly #connectionName: string;
  readonly #pool: PgPool;
  /** Takes our listeners off a client. */
  readonly #detach = new WeakMap<PgClient, () => void>();

  constructor(connectionName: string, pool: PgPool) {
    this.#connectionName = connectionName;
    this.#pool = pool;
  }

  async create({ signal, lost }: CreateContext): Promise<PgClient> {
    const client = await this.#borrow(signal);
    const onError = (error: Error) => lost(lostError(error, this.#connectionName));
    const onEnd = () => lost(lostError('the socket was closed', this.#connectionName));
    client.on('error', onError);
    client.on('end', onEnd);
    this.#detach.set(client, () => {
      client.removeListener('error', onError);
      client.removeListener('end', onEnd);
    });
    try {
      // Whoever had it before may have left a transaction open, which pg-pool does not look for.
      if (isDirty(client)) await cleanClient(client, signal, this.#connectionName);
      return client;
    } catch (error) {
      await this.destroy(client);
      throw signal.aborted ? abortedError(signal, this.#connectionName) : this.#connectError(error);
    }
  }

  validate(client: PgClient, signal: AbortSignal): Promise<void> {
    return validateClient(client, signal);
  }

  isDirty(client: PgClient): boolean {
    return isDirty(client);
  }

  clean(client: PgClient, signal: AbortSignal): Promise<void> {
    return cleanClient(client, signal, this.#connectionName);
  }

  async destroy(client: PgClient): Promise<void> {
    const unfit = isGone(client) || isDirty(client);
    // Given back before our listeners go: pg-pool's own takes over, and there is always one.
    (client as BorrowedClient).release(unfit);
    this.#detach.get(client)?.();
  }

  judge(error: unknown): ErrorVerdict {
    return judge(error);
  }

  #borrow(signal: AbortSignal): Promise<BorrowedClient> {
    return borrowFromPool({
      connectionName: this.#connectionName,
      signal,
      borrow: async () => (await this.#pool.connect()) as unknown as BorrowedClient,
      giveBack: (client) => client.release(),
      explain: (error) => this.#connectError(error),
    });
  }

  #connectError(error: unknown) {
    const { host = 'localhost', port = 5432 } = this.#pool.options;
    return connectError(error, { connectionName: this.#connectionName, host, port });
  }
}
