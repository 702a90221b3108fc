import {
  abortedError,
  type BridgeTarget,
  type Clock,
  CommitUnknownError,
  DbManagerError,
  NotMongoDatabaseError,
  type TransactionOutcome,
  type TransactionRecorder,
} from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { ClientSession, TransactionOptions } from 'mongodb';
import { hasLabel, saysNoTransactions } from './errors.js';
import type { MongodbConnection } from './mongodb-connection.js';
import type { MongoClient } from './mongodb-driver.js';

/** The connection that a transaction runs on. */
export type MongodbTransactionTarget = Pick<BridgeTarget, 'name' | 'type' | 'acquire'> & {
  readonly transactions?: TransactionRecorder;
};

/** Options of {@link mongodbTransaction}: the driver's own, and a way to give up. */
export type MongodbTransactionOptions = TransactionOptions & { readonly signal?: AbortSignal };

/**
 * Runs `work` in a transaction of MongoDB: committed when it resolves, rolled back when it throws, with that very error passed
 * on. Everything that is to be part of it is given the `session`: operations of the driver, of MikroORM (as its transaction
 * context), of TypeORM (as an option).
 *
 * As the driver's `withTransaction` does, it runs `work` again after a conflict with another transaction, and repeats a COMMIT
 * that had no answer, for up to 120 s; an AbortSignal ends that before the next run.
 *
 * Rejects with `DBM_UNSUPPORTED` where the server has no transactions (a single server that is no replica set; FerretDB 1),
 * `DBM_COMMIT_UNKNOWN` when the outcome of the COMMIT is not known, `DBM_SERIALIZATION_FAILURE` when others were always
 * faster, `DBM_ABORTED`, `DBM_CLOSED`, `DBM_NOT_MONGODB`.
 */
export async function mongodbTransaction<R>(
  target: MongodbTransactionTarget,
  work: (session: ClientSession, client: MongoClient) => Promise<R>,
  { signal, ...options }: MongodbTransactionOptions = {},
): Promise<R> {
  if (target.type !== 'mongodb') throw new NotMongoDatabaseError(target.name, target.type);
  const lease = await target.acquire(signal === undefined ? {} : { signal });
  const { session, client, clock } = lease.connection as MongodbConnection;
  const run = new Attempts(target.transactions, clock);
  try {
    const result = await session.withTransaction(
      () => run.attempt(() => begun(signal, target.name, () => work(session, client))),
      options,
    );
    run.ended('committed');
    return result;
  } catch (error) {
    throw run.failure(error, target.name);
  } finally {
    lease.release();
  }
}

async function begun<R>(signal: AbortSignal | undefined, name: string, work: () => Promise<R>): Promise<R> {
  if (signal?.aborted === true) throw abortedError(signal, name);
  return work();
}

/** What has come of the runs of one transaction. */
class Attempts {
  readonly #recorder: TransactionRecorder | undefined;
  readonly #clock: Clock;
  /** Of the run that is under way, or was the last. */
  #startedAt: number;
  #count = 0;
  /** What `work` has thrown; the driver may make another error of a COMMIT, not of this. */
  #thrown: { readonly error: unknown } | undefined;

  constructor(recorder: TransactionRecorder | undefined, clock: Clock) {
    this.#recorder = recorder;
    this.#clock = clock;
    this.#startedAt = clock.now();
  }

  async attempt<R>(work: () => Promise<R>): Promise<R> {
    if (this.#count++ > 0) {
      this.ended(this.#thrown === undefined ? 'failed' : 'rolled_back');
      this.#recorder?.retried('serialization_failure');
    }
    this.#startedAt = this.#clock.now();
    this.#thrown = undefined;
    try {
      return await work();
    } catch (error) {
      this.#thrown = { error };
      throw error;
    }
  }

  ended(outcome: TransactionOutcome): void {
    this.#recorder?.ended(outcome, this.#clock.now() - this.#startedAt);
  }

  /** The error to reject with. */
  failure(error: unknown, connectionName: string): unknown {
    const ofWork = this.#thrown !== undefined;
    const unknown = !ofWork && hasLabel(error, 'UnknownTransactionCommitResult');
    if (this.#count > 0) this.ended(unknown ? 'unknown' : ofWork ? 'rolled_back' : 'failed');
    if (unknown) return new CommitUnknownError(connectionName, error);
    if (saysNoTransactions(error)) {
      return new DbManagerError('DBM_UNSUPPORTED', 'the server has no transactions', { connectionName, cause: error });
    }
    if (!hasLabel(error, 'TransientTransactionError')) return error;
    return new DbManagerError('DBM_SERIALIZATION_FAILURE', 'the transaction lost to others', {
      connectionName,
      cause: error,
    });
  }
}
