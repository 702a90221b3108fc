import { abortedError, DbManagerError } from './errors.js';
import type { Lease } from './pool/lease.js';
import type { LeaseSource } from './provider.js';

/** The connection of a session for as long as somebody reads from it. */
export interface HeldTurn<C> {
  readonly connection: C;
  /** Between two portions, while the consumer runs: what is asked for meanwhile is refused. */
  yielding: boolean;
  /** Lets the next statement run. */
  end(): Promise<void>;
}

/**
 * The lease of one SQL session, borrowed at its first statement and kept until the session is released, and the turns of
 * its statements: one after the other.
 */
export class SessionTurns<C> {
  readonly #source: LeaseSource<C>;
  #lease: Lease<C> | undefined;
  #released = false;
  /** Statements that have not ended. */
  #turns = 0;
  /** The end of the statement before. Never rejects. */
  #previous: Promise<unknown> = Promise.resolve();
  #held: HeldTurn<C> | undefined;

  constructor(source: LeaseSource<C>) {
    this.#source = source;
  }

  /** The connection; undefined before the first statement and after the release. */
  get connection(): C | undefined {
    return this.#lease === undefined || this.#lease.released ? undefined : this.#lease.connection;
  }

  /** Tells apart the checkouts of a pool: sessions that follow each other on one lease have the same. Undefined as above. */
  get leaseId(): number | undefined {
    return this.#lease?.id;
  }

  /** Runs `work` when all that was asked for before has ended. Rejects with `DBM_UNSUPPORTED` while a stream is open. */
  run<T>(signal: AbortSignal | undefined, work: (connection: C) => Promise<T>): Promise<T> {
    if (this.#held?.yielding) return Promise.reject(this.#streamOpen());
    const turn = this.#turns++ === 0 ? this.#take(signal, work) : this.#previous.then(() => this.#take(signal, work));
    // The next statement waits for this one, however it ends; its own caller hears of the error.
    this.#previous = turn.then(this.#ended, this.#ended);
    return turn;
  }

  async #take<T>(signal: AbortSignal | undefined, work: (connection: C) => Promise<T>): Promise<T> {
    const lease = this.#lease;
    // A promise less for each statement of a session that has its connection.
    const connection = lease === undefined || signal?.aborted ? await this.#borrow(signal) : lease.connection;
    return await work(connection);
  }

  readonly #ended = (): void => {
    this.#turns--;
  };

  /** Takes a turn that lasts until its `end()`; `around` runs before and after what is done in it. */
  async hold(
    signal: AbortSignal | undefined,
    around: (connection: C, work: () => Promise<void>) => Promise<void>,
  ): Promise<HeldTurn<C>> {
    const done = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<C>();
    const turn = this.run(signal, (connection) =>
      around(connection, () => {
        begun.resolve(connection);
        return done.promise;
      }),
    );
    turn.catch(begun.reject);
    const held: HeldTurn<C> = {
      connection: await begun.promise,
      yielding: false,
      end: async () => {
        held.yielding = false;
        done.resolve();
        await turn;
      },
    };
    this.#held = held;
    return held;
  }

  /** Remembers a summary of the last statement, for leak reports; `summary` is called only where they are wanted. */
  note(summary: () => string): void {
    if (this.#source.config.options.leakDetectionMs > 0) this.#lease?.note(summary());
  }

  /** Gives the connection back; what is asked for later is refused. Does nothing the second time. */
  release(error?: unknown): void {
    this.#released = true;
    const lease = this.#lease;
    this.#lease = undefined;
    lease?.release(error);
  }

  async #borrow(signal: AbortSignal | undefined): Promise<C> {
    const { name: connectionName } = this.#source;
    if (signal?.aborted) throw abortedError(signal, connectionName);
    if (this.#lease === undefined && !this.#released) {
      const lease = await this.#source.acquire({ signal });
      if (this.#released) lease.release();
      else this.#lease = lease;
    }
    if (this.#lease === undefined) {
      throw new DbManagerError('DBM_LEASE_RELEASED', 'the session has been released', { connectionName });
    }
    return this.#lease.connection;
  }

  #streamOpen(): DbManagerError {
    return new DbManagerError(
      'DBM_UNSUPPORTED',
      'a stream of this session is being read; end it before the next statement',
      { connectionName: this.#source.name },
    );
  }
}
