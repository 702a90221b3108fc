import { DbManagerError, isDbManagerError, KnownOptions } from '@dbmanager/core';
import { checkTransactionOptions, type Propagation, type TransactionOptions } from '@dbmanager/database';
import { invalidOption } from './invalid-option.js';
import { type Exchange, RequestContext } from './request-context.js';

/** What transactions are run on: a `Connection`, or its `database()`. */
export interface RequestConnection<T extends object> {
  /** Runs what a request does. */
  transaction<R>(options: TransactionOptions, work: (tx: NoInfer<T>) => Promise<R>): Promise<R>;
  /** Not called: the one method that tells the type of the transactions, as the other has several signatures. */
  begin(options?: TransactionOptions): Promise<T>;
}

/**
 * Options of a transaction per request: those of `transaction()` that mean something for a request. It is not repeated, as its body can
 * be read only once, and it is the signal of each request that ends it.
 */
export interface RequestTransactionOptions
  extends Pick<TransactionOptions, 'isolation' | 'deferrable' | 'timeout' | 'propagation'> {
  /** `'safe'`: for methods that change nothing (GET, HEAD, OPTIONS). Default: false. */
  readonly readOnly?: boolean | 'safe' | undefined;
}

const OPTIONS = new KnownOptions<RequestTransactionOptions>('the transaction of a request', {
  isolation: true,
  readOnly: true,
  deferrable: true,
  timeout: true,
  propagation: true,
});
const PROPAGATIONS: readonly Propagation[] = ['required', 'requires-new'];

/** Methods that change nothing, by RFC 9110. */
const SAFE_METHODS: readonly (string | undefined)[] = ['GET', 'HEAD', 'OPTIONS'];

/** Begins the transactions of one mounted middleware. */
export class RequestTransactions<T extends object> {
  readonly #connection: RequestConnection<T>;
  readonly #options: RequestTransactionOptions;

  /** Throws `DBM_INVALID_OPTION` for what is no connection, and for options that cannot be meant. */
  constructor(connection: RequestConnection<T>, options: RequestTransactionOptions = {}) {
    if (typeof connection?.transaction !== 'function') {
      throw invalidOption(
        'connection',
        'transactions of requests need a connection: manager.get(name), or its database()',
      );
    }
    checkOptions(options);
    this.#connection = connection;
    this.#options = options;
  }

  /**
   * Runs `handle` in a transaction, and holds back what it sends until that has ended: committed when it has answered with a
   * status below 400, rolled back when it rejects, has answered with another, or the request is called off. Resolves after
   * the commit, or the rollback for a status. Rejects with what `handle` rejects with, why the request was called off, or why
   * the commit failed; then {@link ResponseGate.shut} tells whether the client has been answered already.
   *
   * Mounted a second time for the same connection, it leaves everything to the first.
   *
   * @param handle answers; resolves when it has. It is told when the first byte would leave, should it know no better.
   */
  async run(exchange: Exchange, handle: (asked: Promise<void>) => Promise<unknown>): Promise<void> {
    const context = RequestContext.of(exchange);
    const { gate, transactions, signal } = context;
    if (transactions.has(this.#connection)) {
      await handle(gate.asked);
      return;
    }
    const progress = new Progress();
    gate.hold();
    try {
      await this.#connection.transaction({ ...this.#optionsFor(exchange), signal }, async (tx) => {
        transactions.set(this.#connection, tx);
        await progress.track(handle(gate.asked), gate.asked);
        if (gate.status >= 400) throw new AnsweredWithFailure(gate.status);
        progress.committed = context.committing();
      });
    } catch (error) {
      if (error instanceof AnsweredWithFailure) return;
      const reason = signal.aborted && isDbManagerError(error, 'DBM_ABORTED') ? signal.reason : error;
      // A handler that still runs would answer a second time.
      if (progress.running || gate.streaming) gate.refuse(reason);
      else gate.discard();
      throw reason;
    } finally {
      progress.committed();
      gate.release();
    }
  }

  #optionsFor({ request: { method } }: Exchange): TransactionOptions {
    const { readOnly, ...options } = this.#options;
    if (readOnly !== 'safe') return { ...options, readOnly };
    // One that joins another asks nothing of it.
    return SAFE_METHODS.includes(method) ? { ...options, readOnly: true } : options;
  }
}

/**
 * The transaction of a request, for handlers where transactions are not ambient; `request` as the framework hands it over
 * (Koa: `ctx`). Throws `DBM_UNSUPPORTED` when it runs in none of that connection.
 */
export function transactionOf<T extends object>(request: object, connection: RequestConnection<T>): T {
  const tx = RequestContext.find(request).transactions.get(connection);
  // What a connection began is of its kind.
  if (tx !== undefined) return tx as T;
  throw new DbManagerError('DBM_UNSUPPORTED', 'the request runs in no transaction of this connection');
}

/** How far a handler has come. */
class Progress {
  /** It was called and has not come to its end. */
  running = false;
  /** Ends the time in which a COMMIT decides on the answer. */
  committed: () => void = () => undefined;

  /** Settles with `handling`, or once its answer is there. */
  async track(handling: Promise<unknown>, asked: Promise<void>): Promise<void> {
    this.running = true;
    handling.then(this.#settled, this.#settled);
    await Promise.race([handling, asked]);
    this.running = false;
  }

  readonly #settled = (): void => {
    this.running = false;
  };
}

/** Rolls a transaction back without anything having gone wrong here. */
class AnsweredWithFailure extends Error {
  constructor(status: number) {
    super(`answered with status ${status}`);
    this.name = 'AnsweredWithFailure';
  }
}

/** What the database itself does not have, it says with the first request. */
function checkOptions(options: RequestTransactionOptions): void {
  OPTIONS.check(options, undefined);
  const { propagation = 'required', readOnly, ...begin } = options;
  if (!PROPAGATIONS.includes(propagation)) {
    throw invalidOption('propagation', `requests have a transaction: its propagation is ${PROPAGATIONS.join(' or ')}`);
  }
  checkTransactionOptions({ ...begin, readOnly: readOnly === 'safe' ? true : readOnly }, undefined);
}
