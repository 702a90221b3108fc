import type { Clock, Timer } from './clock.js';
import { abortedError, DbManagerError } from './errors.js';

/** How long the server has to stop a statement it was asked to stop; after that the connection is given up. */
const STOP_GRACE_MS = 1_000;
/** Where the server has the same limit as we do, it goes first: its answer saves a cancel request. */
const SERVER_HEAD_START_MS = 250;

/** What a {@link StatementWatch} needs to know of a driver. */
export interface StatementControl<C> {
  /** True when nothing is under way on the connection: the next statement would be sent at once. */
  isReady(connection: C): boolean;
  /** Resolves when nothing is under way on the connection any more, or it is gone. Never rejects. */
  untilReady(connection: C): Promise<void>;
  /**
   * Has the server stop what runs on the connection, on a way of its own. Resolves when it can hit no later statement any
   * more; rejects when the server cannot be told. Aborting frees what it holds.
   */
  cancel(connection: C, signal: AbortSignal): Promise<void>;
  /** Ends the connection at once; what is under way on it then rejects. */
  destroy(connection: C): void;
  /** True for the error of a statement that the server has stopped, by its own limit or because it was asked to. */
  isStopped(error: unknown): boolean;
  /** The error of ours for one of the driver. */
  explain(error: unknown, connectionName: string): DbManagerError;
}

/** What a {@link StatementWatch} is made of. */
export interface StatementWatchSetup<C> {
  readonly control: StatementControl<C>;
  readonly connection: C;
  readonly clock: Clock;
  readonly connectionName: string;
  /** 0 is no limit. */
  readonly timeoutMs: number;
  /** The limit that the server has for statements of this connection; 0 when there is none. */
  readonly serverTimeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Watches over one statement: stops it when it takes too long or its caller gives up, and sees to it that the connection
 * is either ready for the next statement or destroyed, never in between.
 */
export class StatementWatch<C> {
  readonly #setup: StatementWatchSetup<C>;
  readonly #startedAt: number;
  #timer: Timer | undefined;
  #onAbort: (() => void) | undefined;
  #stopped: 'timeout' | 'aborted' | undefined;
  #grace: Timer | undefined;
  #cancel: Promise<void> | undefined;
  /** Ends the cancel request under way. */
  #cancelAbort: AbortController | undefined;

  constructor(setup: StatementWatchSetup<C>) {
    this.#setup = setup;
    this.#startedAt = setup.clock.now();
  }

  /**
   * Settles as `work`, which sends the statement, does under the limits, once the connection is ready for the next statement or
   * destroyed. Rejects with errors of this package only.
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    // Not by `guard`: that is a promise more for every statement.
    this.#begin();
    try {
      return await work();
    } catch (error) {
      throw this.#explain(error);
    } finally {
      this.#end();
      if (!this.#settled) await this.settle();
    }
  }

  /** The same for one portion of a statement that is read in portions: after the last one {@link settle} is to be called. */
  async guard<T>(work: () => Promise<T>): Promise<T> {
    this.#begin();
    try {
      return await work();
    } catch (error) {
      throw this.#explain(error);
    } finally {
      this.#end();
    }
  }

  /** Has the server stop the statement, as nobody wants the rest of it. */
  stop(): void {
    this.#stop('aborted');
  }

  /** Resolves when the connection is ready again or destroyed. To be called at the end, however that came. */
  async settle(): Promise<void> {
    const { control, connection } = this.#setup;
    if (this.#settled) return;
    this.#startGrace();
    // Both: a cancel request under way might hit the next statement.
    await Promise.all([this.#cancel, control.untilReady(connection)]);
    this.#grace?.cancel();
  }

  get #settled(): boolean {
    const { control, connection } = this.#setup;
    return this.#cancel === undefined && control.isReady(connection);
  }

  /** The limits hold from now on. Throws `DBM_ABORTED` when the caller has given up already. */
  #begin(): void {
    const { clock, connectionName, signal, timeoutMs, serverTimeoutMs } = this.#setup;
    if (signal !== undefined) {
      if (signal.aborted) throw abortedError(signal, connectionName);
      this.#onAbort = () => this.#stop('aborted');
      signal.addEventListener('abort', this.#onAbort, { once: true });
    }
    if (timeoutMs === 0) return;
    const limitMs = timeoutMs + (timeoutMs === serverTimeoutMs ? SERVER_HEAD_START_MS : 0);
    this.#timer = clock.setTimer(limitMs, () => this.#stop('timeout'), { keepAlive: true });
  }

  #end(): void {
    this.#timer?.cancel();
    if (this.#onAbort !== undefined) this.#setup.signal?.removeEventListener('abort', this.#onAbort);
  }

  #stop(why: 'timeout' | 'aborted'): void {
    if (this.#stopped !== undefined) return;
    this.#stopped = why;
    const { control, connection } = this.#setup;
    this.#cancelAbort = new AbortController();
    this.#startGrace();
    this.#cancel = control.cancel(connection, this.#cancelAbort.signal).catch(() => control.destroy(connection));
  }

  #startGrace(): void {
    const { clock, control, connection } = this.#setup;
    const giveUp = () => {
      this.#cancelAbort?.abort();
      control.destroy(connection);
    };
    this.#grace ??= clock.setTimer(STOP_GRACE_MS, giveUp, { keepAlive: true });
  }

  #explain(error: unknown): DbManagerError {
    const { control, connectionName, signal, timeoutMs, serverTimeoutMs, clock } = this.#setup;
    if (this.#stopped === 'aborted' && signal !== undefined) return abortedError(signal, connectionName);
    if (this.#stopped === 'timeout') return timeoutError(error, connectionName, timeoutMs);
    // A server may say the same of its own timeout and of somebody else's request to stop.
    const expired = serverTimeoutMs > 0 && clock.now() - this.#startedAt >= serverTimeoutMs;
    if (expired && control.isStopped(error)) return timeoutError(error, connectionName, serverTimeoutMs);
    return control.explain(error, connectionName);
  }
}

/** The error of a statement that was stopped because it took too long. */
function timeoutError(error: unknown, connectionName: string, timeoutMs: number): DbManagerError {
  return new DbManagerError('DBM_QUERY_TIMEOUT', `the statement took longer than ${timeoutMs} ms`, {
    cause: error,
    connectionName,
    option: 'query_timeout',
  });
}
