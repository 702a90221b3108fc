import { abortedError, type Clock, type DbManagerError, type Timer } from '@dbmanager/core';
import { requestCancel } from './cancel-request.js';
import { sqlState, statementError, timeoutError } from './errors.js';
import { destroySocket, isReady, type PgClient, type PgDriver, untilReady } from './pg-driver.js';

/** How long the server has to stop a statement it was asked to stop; after that the connection is given up. */
const STOP_GRACE_MS = 1_000;
/** Where the server has the same limit as we do, it goes first: its answer saves a cancel request. */
const SERVER_HEAD_START_MS = 250;

/** What a {@link StatementWatch} is made of. */
export interface StatementWatchSetup {
  readonly driver: PgDriver;
  readonly client: PgClient;
  readonly clock: Clock;
  readonly connectionName: string;
  /** 0 is no limit. */
  readonly timeoutMs: number;
  /** `statement_timeout` of the connection; 0 when there is none. */
  readonly serverTimeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Watches over one statement: stops it when it takes too long or its caller gives up, and sees to it that the connection
 * is either ready for the next statement or destroyed, never in between.
 */
export class StatementWatch {
  readonly #setup: StatementWatchSetup;
  readonly #startedAt: number;
  #stopped: 'timeout' | 'aborted' | undefined;
  #grace: Timer | undefined;
  #cancel: Promise<void> | undefined;
  readonly #cancelAbort = new AbortController();

  constructor(setup: StatementWatchSetup) {
    this.#setup = setup;
    this.#startedAt = setup.clock.now();
  }

  /**
   * Settles as `work` does, under the limits: called once for a statement, or for each portion of a stream. Rejects with
   * errors of this package only.
   */
  async guard<T>(work: () => Promise<T>): Promise<T> {
    const { clock, connectionName, signal, timeoutMs, serverTimeoutMs } = this.#setup;
    if (signal?.aborted) throw abortedError(signal, connectionName);
    const limitMs = timeoutMs + (timeoutMs === serverTimeoutMs ? SERVER_HEAD_START_MS : 0);
    const onAbort = () => this.#stop('aborted');
    const timer = timeoutMs > 0 ? clock.setTimer(limitMs, () => this.#stop('timeout'), { keepAlive: true }) : undefined;
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await work();
    } catch (error) {
      throw this.#explain(error);
    } finally {
      timer?.cancel();
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Resolves when the connection is ready again or destroyed. To be called at the end, however that came. */
  async settle(): Promise<void> {
    const { client } = this.#setup;
    if (this.#cancel === undefined && isReady(client)) return;
    this.#startGrace();
    // Both: a cancel request under way might hit the next statement.
    await Promise.all([this.#cancel, untilReady(client)]);
    this.#grace?.cancel();
  }

  #stop(why: 'timeout' | 'aborted'): void {
    if (this.#stopped !== undefined) return;
    this.#stopped = why;
    const { driver, client } = this.#setup;
    this.#startGrace();
    this.#cancel = requestCancel(driver, client, this.#cancelAbort.signal).catch(() => destroySocket(client));
  }

  #startGrace(): void {
    const { clock, client } = this.#setup;
    const giveUp = () => {
      this.#cancelAbort.abort();
      destroySocket(client);
    };
    this.#grace ??= clock.setTimer(STOP_GRACE_MS, giveUp, { keepAlive: true });
  }

  #explain(error: unknown): DbManagerError {
    const { connectionName, signal, timeoutMs, serverTimeoutMs, clock } = this.#setup;
    if (this.#stopped === 'aborted' && signal !== undefined) return abortedError(signal, connectionName);
    if (this.#stopped === 'timeout') return timeoutError(error, connectionName, timeoutMs);
    // The server says query_canceled both for its own timeout and for somebody's pg_cancel_backend.
    const expired = serverTimeoutMs > 0 && clock.now() - this.#startedAt >= serverTimeoutMs;
    if (sqlState(error) === '57014' && expired) return timeoutError(error, connectionName, serverTimeoutMs);
    return statementError(error, connectionName);
  }
}
