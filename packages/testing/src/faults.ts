import {
  type AnyProvider,
  abortedError,
  type Clock,
  DbManagerError,
  KnownOptions,
  type LeaseSource,
  type Statement,
  type StatementOptions,
  sleep,
  systemClock,
} from '@dbmanager/core';
import { assertFlag, count, invalid, isError, isRegExp, milliseconds } from './checks.js';
import { interceptedProvider } from './intercepted-provider.js';
import type { Interceptor, Verdict } from './interceptor.js';

/** Options of {@link Faults.failCommit}. */
export interface FailCommitOptions {
  /** Whether the database had committed before. Default: it had not. */
  readonly applied?: boolean;
}

const FAIL_COMMIT_OPTIONS = new KnownOptions<FailCommitOptions>('failCommit', { applied: true });

/** Options of {@link withFaults}. */
export interface WithFaultsOptions {
  /** What delays are measured by. Default: the machine's. */
  readonly clock?: Clock;
}

const WITH_FAULTS_OPTIONS = new KnownOptions<WithFaultsOptions>('withFaults', { clock: true });

/** What goes wrong with the databases of one provider: nothing, until the test says so. Change it at any time. */
export class Faults implements Interceptor {
  readonly #clock: Clock;
  #connectDelayMs = 0;
  #statementDelayMs = 0;
  #refusals = 0;
  #refusal: Error | undefined;
  #statements = 0;
  /** Counted down; undefined: none is to be lost. */
  #loseIn: number | undefined;
  #crash: { readonly pattern: RegExp | undefined; left: number } | undefined;
  #commit: { readonly applied: boolean } | undefined;

  /** @param clock what delays are measured by. Default: the machine's. */
  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** How long every connect takes, in milliseconds, besides its own time. Default: 0. */
  get connectDelayMs(): number {
    return this.#connectDelayMs;
  }

  set connectDelayMs(ms: number) {
    this.#connectDelayMs = milliseconds(ms, 'connectDelayMs');
  }

  /**
   * How long every statement takes, in milliseconds, besides its own time; `query_timeout` and signals end the wait. Default: 0.
   */
  get statementDelayMs(): number {
    return this.#statementDelayMs;
  }

  set statementDelayMs(ms: number) {
    this.#statementDelayMs = milliseconds(ms, 'statementDelayMs');
  }

  /** Statements seen so far, BEGIN and COMMIT not counted. */
  get statements(): number {
    return this.#statements;
  }

  /**
   * The next connects fail; connections that are open go on.
   *
   * @param times how many. Default: all, until {@link acceptConnects}; health checks fail meanwhile too.
   * @param error what they fail with. Default: `DBM_CONNECT_FAILED`, as of a closed port.
   */
  refuseConnects(times: number = Number.POSITIVE_INFINITY, error?: Error): void {
    if (error !== undefined && !isError(error)) throw invalid('error', 'what connects fail with must be an Error');
    this.#refusals = times === Number.POSITIVE_INFINITY ? times : count(times, 1, 'times');
    this.#refusal = error;
  }

  /** Connects succeed again. */
  acceptConnects(): void {
    this.#refusals = 0;
  }

  /**
   * Loses the connection at the nth statement from now, the next one by default: the statement fails with
   * `DBM_CONNECTION_LOST` and never reaches the database, and what was open on the connection is rolled back.
   */
  loseConnectionAt(nth = 1): void {
    this.#loseIn = count(nth, 1, 'nth');
  }

  /**
   * Kills the connection that a statement is sent on, as a server does that dies, whoever sends it: the Database API, an ORM, a
   * native handle. The error is what the driver makes of it. Where a provider does not tell the connection, all of them are
   * killed. It does nothing to SQLite in memory, whose database is the connection.
   *
   * @param at the nth statement from now; or the next one in whose text the pattern is found, `/^commit/i` among them.
   */
  crashAt(at: number | RegExp): void {
    if (typeof at !== 'number' && !isRegExp(at)) {
      throw invalid('at', 'a crash is at the nth statement, or at what a regular expression finds');
    }
    this.#crash = typeof at === 'number' ? { pattern: undefined, left: count(at, 1, 'at') } : { pattern: at, left: 1 };
  }

  /** Loses the connection in the next COMMIT, which rejects with `DBM_COMMIT_UNKNOWN`. */
  failCommit(options: FailCommitOptions = {}): void {
    FAIL_COMMIT_OPTIONS.check(options, undefined);
    assertFlag(options.applied, 'applied');
    this.#commit = { applied: options.applied ?? false };
  }

  /** Nothing goes wrong any more. */
  reset(): void {
    this.connectDelayMs = 0;
    this.statementDelayMs = 0;
    this.#refusals = 0;
    this.#loseIn = undefined;
    this.#crash = undefined;
    this.#commit = undefined;
  }

  /** @internal */
  async connecting(connectionName: string, signal: AbortSignal): Promise<void> {
    if (this.connectDelayMs > 0) await sleep(this.#clock, this.connectDelayMs, signal, { keepAlive: true });
    if (this.#refusals <= 0) return;
    this.#refusals--;
    throw this.#refused(connectionName);
  }

  /** @internal */
  probing(connectionName: string): void {
    if (this.#refusals === Number.POSITIVE_INFINITY) throw this.#refused(connectionName);
  }

  /** @internal */
  async statement(_: Statement, options: StatementOptions, source: LeaseSource): Promise<Verdict> {
    this.#statements++;
    await delay(this.#clock, this.statementDelayMs, options, source);
    if (this.#loseIn === undefined || --this.#loseIn > 0) return undefined;
    this.#loseIn = undefined;
    return { lost: this.loss(source.name) };
  }

  /** @internal */
  loss(connectionName: string): DbManagerError {
    return new DbManagerError('DBM_CONNECTION_LOST', 'lost, as the test asked for', { connectionName });
  }

  /** @internal */
  sending(sql: string): boolean {
    const crash = this.#crash;
    if (crash === undefined || (crash.pattern !== undefined && sql.search(crash.pattern) < 0)) return false;
    if (--crash.left > 0) return false;
    this.#crash = undefined;
    return true;
  }

  /** @internal */
  committing(): { readonly applied: boolean } | undefined {
    const commit = this.#commit;
    this.#commit = undefined;
    return commit;
  }

  #refused(connectionName: string): Error {
    return (
      this.#refusal ??
      new DbManagerError('DBM_CONNECT_FAILED', 'connection refused, as the test asked for', { connectionName })
    );
  }
}

/**
 * `provider`, and what is to go wrong with its databases. Give the provider to the manager in place of the one it wraps:
 *
 * ```ts
 * const { provider, faults } = withFaults(sqliteProvider);
 * await using db = await testManager({ schema, providers: [provider] });
 * faults.loseConnectionAt(2);
 * ```
 *
 * Connects are seen whoever asks for them, and so is what `crashAt` waits for; COMMIT in every transaction of dbmanager. Of
 * statements, `loseConnectionAt` and `statementDelayMs` see those of the Database API and of `tx.query`, and on SQLite those of
 * ORMs. To cut the network itself, put a `FaultProxy` before a server.
 *
 * Throws `DBM_INVALID_OPTION` for what is no provider, as the methods of {@link Faults} do for what they cannot mean.
 */
export function withFaults(
  provider: AnyProvider,
  options: WithFaultsOptions = {},
): { readonly provider: AnyProvider; readonly faults: Faults } {
  WITH_FAULTS_OPTIONS.check(options, undefined);
  if (typeof (provider as AnyProvider | undefined)?.open !== 'function') {
    throw invalid('provider', 'withFaults wraps a provider: one of PROVIDERS, of MockDatabase, or of your own');
  }
  const faults = new Faults(options.clock);
  return { provider: interceptedProvider(provider, faults), faults };
}

/** Waits as a statement that takes so long: rejects with `DBM_QUERY_TIMEOUT` or `DBM_ABORTED` when its caller's patience ends first. */
export async function delay(
  clock: Clock,
  ms: number,
  { signal, timeoutMs }: StatementOptions,
  { name: connectionName, config }: LeaseSource,
): Promise<void> {
  if (ms <= 0) return;
  const limit = timeoutMs ?? config.options.queryTimeoutMs;
  const patience = limit > 0 ? Math.min(ms, limit) : ms;
  try {
    await sleep(clock, patience, signal ?? new AbortController().signal, { keepAlive: Number.isFinite(patience) });
  } catch (error) {
    throw signal?.aborted ? abortedError(signal, connectionName) : error;
  }
  if (patience < ms) {
    throw new DbManagerError('DBM_QUERY_TIMEOUT', `the statement took longer than ${limit} ms`, {
      connectionName,
      option: 'query_timeout',
    });
  }
}
