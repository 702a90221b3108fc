import {
  type AnyProvider,
  abortedError,
  type Clock,
  DbManagerError,
  type LeaseSource,
  type Statement,
  type StatementOptions,
  sleep,
  systemClock,
} from '@dbmanager/core';
import { interceptedProvider } from './intercepted-provider.js';
import type { Interceptor, Verdict } from './interceptor.js';

/** What goes wrong with the databases of one provider: nothing, until the test says so. Change it at any time. */
export class Faults implements Interceptor {
  /** How long every connect takes, in milliseconds, besides its own time. */
  connectDelayMs = 0;
  /** How long every statement takes, in milliseconds, besides its own time; `query_timeout` and signals end the wait. */
  statementDelayMs = 0;
  readonly #clock: Clock;
  #refusals = 0;
  #refusal: Error | undefined;
  #statements = 0;
  /** Counted down; undefined: none is to be lost. */
  #loseIn: number | undefined;
  #commit: { readonly applied: boolean } | undefined;

  /** @param clock what delays are measured by. Default: the machine's. */
  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
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
    this.#refusals = times;
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
    if (!Number.isInteger(nth) || nth < 1) {
      throw new DbManagerError('DBM_INVALID_OPTION', `statements are counted from 1, not ${nth}`, { option: 'nth' });
    }
    this.#loseIn = nth;
  }

  /**
   * Loses the connection in the next COMMIT, which rejects with `DBM_COMMIT_UNKNOWN`.
   *
   * @param applied whether the database had committed before. Default: it had not.
   */
  failCommit({ applied = false }: { readonly applied?: boolean } = {}): void {
    this.#commit = { applied };
  }

  /** Nothing goes wrong any more. */
  reset(): void {
    this.connectDelayMs = 0;
    this.statementDelayMs = 0;
    this.#refusals = 0;
    this.#loseIn = undefined;
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
    const lost = new DbManagerError('DBM_CONNECTION_LOST', 'lost, as the test asked for', {
      connectionName: source.name,
    });
    return { lost };
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
 * Connects are seen whoever asks for them, and COMMIT in every transaction of dbmanager. Statements are seen that go through
 * the Database API and `tx.query`, not those that an ORM or a native handle sends on the driver's connection by itself; to cut
 * the network under those, put a `FaultProxy` before the server.
 */
export function withFaults(
  provider: AnyProvider,
  { clock }: { readonly clock?: Clock } = {},
): { readonly provider: AnyProvider; readonly faults: Faults } {
  const faults = new Faults(clock);
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
