import { type Clock, isDbManagerError, type Logger, type Random, spread, type Timer } from '@dbmanager/core';
import type { StoreOptions } from './store-context.js';
import type { StoreLease } from './store-lease.js';

/** The random share by which an interval is lengthened or shortened, so that processes started together do not meet. */
const JITTER = 0.1;
/** As many intervals as a process that has ended keeps others from cleaning up: its next turn is due before. */
const LEASE_INTERVALS = 2;

/** What a {@link StoreCleaner} works with. */
export interface StoreCleanerSetup {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly connectionName: string;
  /** Keeps other processes from cleaning up. */
  readonly lease: StoreLease;
  /** Between the end of one turn and the beginning of the next, about. */
  readonly intervalMs: number;
  /** Cleans up; the number of rows that went. */
  clean(options: StoreOptions): Promise<number>;
  /** Stops it when aborted. */
  readonly closing: AbortSignal | undefined;
}

/**
 * Cleans up at intervals, in one process of all that share the database. Its timer does not keep the process alive, and it ends
 * by itself when the connection is closed.
 */
export class StoreCleaner implements AsyncDisposable {
  readonly #setup: StoreCleanerSetup;
  readonly #stopping = new AbortController();
  #timer: Timer | undefined;
  #turn: Promise<void> | undefined;

  /** Cleans up after one interval for the first time. */
  constructor(setup: StoreCleanerSetup) {
    this.#setup = setup;
    const { closing } = setup;
    if (closing?.aborted) this.#end();
    else closing?.addEventListener('abort', this.#end, { once: true, signal: this.#stopping.signal });
    this.#schedule();
  }

  /**
   * Resolves when a turn under way has been broken off and the right to clean up given to others; there is no turn after it. Does
   * nothing the second time.
   */
  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return this.#turn;
    this.#end();
    await this.#turn;
    // Nobody depends on it: the right ends by itself.
    await this.#setup.lease.give().catch((error: unknown) => this.#warn(error, 'not given to others'));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  readonly #end = (): void => {
    this.#stopping.abort();
    this.#timer?.cancel();
  };

  #schedule(): void {
    if (this.#stopping.signal.aborted) return;
    const { clock, intervalMs, random } = this.#setup;
    this.#timer = clock.setTimer(spread(intervalMs, JITTER, random), () => {
      this.#turn = this.#run();
    });
  }

  async #run(): Promise<void> {
    const { lease, clean, intervalMs, logger, connectionName } = this.#setup;
    const { signal } = this.#stopping;
    try {
      if (await lease.take(intervalMs * LEASE_INTERVALS, { signal })) {
        const rows = await clean({ signal });
        if (rows > 0) logger.debug({ connection: connectionName, rows }, 'expired rows removed');
      }
    } catch (error) {
      // Nobody waits for it, what has expired is hidden in any case, and the next turn tries again.
      if (!signal.aborted) this.#warn(error, 'failed');
    }
    this.#schedule();
  }

  #warn(error: unknown, what: string): void {
    const code = isDbManagerError(error) ? error.code : undefined;
    this.#setup.logger.warn(
      { connection: this.#setup.connectionName, code, err: error },
      `clean-up of expired rows ${what}`,
    );
  }
}
