import { type AcquireOptions, type BridgeTarget, isDbManagerError, type LeaseSource } from '@dbmanager/core';
import { AttemptRecording } from './attempt-recording.js';
import type { ByteRange } from './byte-range.js';
import type { KeyValueBackend, RepeatOptions, TransactionRecords } from './key-value-backend.js';
import type { KvConnection } from './kv-connection.js';
import { AS_BYTES } from './level-driver.js';
import { LevelMoment } from './level-moment.js';
import { LevelTransaction } from './level-transaction.js';
import { giveBack, onConnection, PooledRecords } from './pooled-records.js';
import { type AttemptOutcome, repeatAttempts } from './repeat-attempts.js';
import { operationsFor, outcomeOf, type Step } from './step.js';
import type { WriteOptions } from './write-options.js';

/** Where connections of type kv are borrowed. */
export type KeyValueSource = LeaseSource<KvConnection> & Pick<BridgeTarget, 'transactions'>;

/** Keeps namespaces in LevelDB, on connections of the pool. */
export class LevelBackend implements KeyValueBackend {
  readonly records: PooledRecords;
  readonly #source: KeyValueSource;

  constructor(source: KeyValueSource) {
    this.#source = source;
    this.records = new PooledRecords(source);
  }

  write(steps: readonly Step[], options: WriteOptions): Promise<void> {
    return onConnection(this.#source, options, (connection) =>
      connection.attempt(({ writes, now }) => {
        const moment = now();
        const operations = steps.flatMap((step) => operationsFor(step.key, outcomeOf(step, moment)));
        return writes.write(operations, options);
      }),
    );
  }

  async clear(range: ByteRange): Promise<void> {
    await onConnection(this.#source, {}, (connection) =>
      connection.attempt(({ database, writes }) =>
        writes.clear(range, () => database.clear({ ...AS_BYTES, ...range })),
      ),
    );
  }

  async snapshot(options: AcquireOptions): Promise<LevelMoment> {
    const lease = await this.#source.acquire(options);
    try {
      return new LevelMoment(lease);
    } catch (error) {
      throw giveBack(lease, error);
    }
  }

  transaction<R>(options: RepeatOptions, work: (records: TransactionRecords) => Promise<R>): Promise<R> {
    const { retries, signal } = options;
    return onConnection(this.#source, options, (connection) => {
      const { clock, random } = connection.handle;
      const onRetry = () => this.#source.transactions?.retried('serialization_failure');
      return repeatAttempts({ retries, signal, clock, random, onRetry }, () =>
        this.#attempt(connection, options, work),
      );
    });
  }

  async #attempt<R>(
    connection: KvConnection,
    options: WriteOptions,
    work: (records: TransactionRecords) => Promise<R>,
  ): Promise<AttemptOutcome<R>> {
    const transaction = await connection.attempt(async () => new LevelTransaction(connection));
    const recording = new AttemptRecording(this.#source.transactions, connection.handle.clock);
    try {
      const result = await this.#source.holding(() => work(transaction.records));
      recording.committing = true;
      await transaction.commit(options);
      recording.ended('committed');
      return { result };
    } catch (error) {
      recording.failed(error);
      // One that `work` has thrown may be of another database, and is passed on.
      if (recording.committing && isDbManagerError(error, 'DBM_SERIALIZATION_FAILURE')) return { conflict: error };
      throw error;
    } finally {
      await transaction.close();
    }
  }
}
