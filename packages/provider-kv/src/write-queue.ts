import { abortedError, CommitUnknownError, DbManagerError } from '@dbmanager/core';
import type { ByteRange } from './byte-range.js';
import { neverSent } from './errors.js';
import { AS_BYTES, type LevelDatabase, type LevelOperation } from './level-driver.js';
import type { ReadSet } from './read-set.js';
import { WriteLog, type WriteMark } from './write-log.js';
import type { WriteOptions } from './write-options.js';

/** One write goes to LevelDB with others up to these, as one batch. */
const GROUP_OPERATIONS = 1_000;
const GROUP_BYTES = 1 << 20;

interface Item {
  /** Its place in the order. */
  readonly number: number;
  /** None any more when it was given up while it waited. */
  operations: readonly LevelOperation[];
  /** Deletes a range, by itself. */
  readonly clear?: (() => Promise<void>) | undefined;
  readonly bytes: number;
  readonly sync: boolean;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * The one way to write to a database: in the order of the calls, each write whole or not at all. What comes in while a write
 * is under way goes with the next one, as LevelDB itself groups the writes of threads; it would not keep their order.
 */
export class WriteQueue {
  readonly log = new WriteLog();
  readonly #database: LevelDatabase;
  readonly #connectionName: string;
  readonly #sync: boolean;
  readonly #waiting: Item[] = [];
  #running: Promise<void> | undefined;

  constructor(database: LevelDatabase, { connectionName, sync }: { connectionName: string; sync: boolean }) {
    this.#database = database;
    this.#connectionName = connectionName;
    this.#sync = sync;
  }

  /** Applies the operations together. Rejects with the driver's error, or `DBM_ABORTED`. */
  write(operations: readonly LevelOperation[], options: WriteOptions = {}): Promise<void> {
    if (operations.length === 0) return Promise.resolve();
    return this.#add({ keys: operations.map(({ key }) => key) }, { operations }, options);
  }

  /** Runs `clear`, which deletes what is in `range`, in its turn. It is no single step: its death may leave a part. */
  clear(range: ByteRange, clear: () => Promise<void>): Promise<void> {
    return this.#add({ keys: [], range }, { operations: [], clear }, {});
  }

  /**
   * Applies the operations of a transaction, if nothing it has read was written after its mark; otherwise rejects with
   * `DBM_SERIALIZATION_FAILURE`, and nothing was done. Rejects with `DBM_COMMIT_UNKNOWN` when LevelDB failed meanwhile.
   */
  async commit(
    operations: readonly LevelOperation[],
    { mark, reads }: { readonly mark: WriteMark; readonly reads: ReadSet },
    options: WriteOptions,
  ): Promise<void> {
    if (this.log.conflicts(mark, reads)) {
      throw new DbManagerError(
        'DBM_SERIALIZATION_FAILURE',
        'something that the transaction had read was written meanwhile',
        { connectionName: this.#connectionName },
      );
    }
    try {
      await this.write(operations, options);
    } catch (error) {
      if (error instanceof DbManagerError || neverSent(error)) throw error;
      throw new CommitUnknownError(this.#connectionName, error);
    }
  }

  /** Resolves when nothing is waiting or under way. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  #add(
    footprint: Parameters<WriteLog['append']>[0],
    work: Pick<Item, 'operations' | 'clear'>,
    { sync = this.#sync, signal }: WriteOptions,
  ): Promise<void> {
    if (signal?.aborted === true) return Promise.reject(abortedError(signal, this.#connectionName));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const item: Item = {
      ...work,
      number: this.log.append(footprint),
      bytes: sizeOf(work.operations),
      sync,
      resolve,
      reject,
    };
    this.#waiting.push(item);
    this.#running ??= this.#run();
    return signal === undefined ? promise : this.#abortable(item, promise, signal);
  }

  /** `promise`, which rejects at once when the signal aborts while the item still waits. */
  async #abortable(item: Item, promise: Promise<void>, signal: AbortSignal): Promise<void> {
    const onAbort = () => {
      if (!this.#waiting.includes(item)) return;
      // It keeps its place with nothing to do: the log counts on each write to have its turn.
      item.operations = [];
      item.reject(abortedError(signal, this.#connectionName));
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#take();
      try {
        await this.#apply(group);
        this.log.applied((group.at(-1) as Item).number);
        for (const item of group) item.resolve();
      } catch (error) {
        this.log.applied((group.at(-1) as Item).number);
        for (const item of group) item.reject(error);
      }
    }
    this.#running = undefined;
  }

  /** What goes to LevelDB next: the first that waits and what fits in with it. */
  #take(): Item[] {
    const [first, ...others] = this.#waiting as [Item, ...Item[]];
    let operations = first.operations.length;
    let { bytes } = first;
    let taken = 1;
    for (const item of first.clear === undefined ? others : []) {
      operations += item.operations.length;
      bytes += item.bytes;
      if (item.clear !== undefined || operations > GROUP_OPERATIONS || bytes > GROUP_BYTES) break;
      taken++;
    }
    return this.#waiting.splice(0, taken);
  }

  #apply(group: readonly Item[]): Promise<void> {
    const clear = group[0]?.clear;
    if (clear !== undefined) return clear();
    const operations = group.flatMap((item) => item.operations);
    if (operations.length === 0) return Promise.resolve();
    return this.#database.batch(operations, { ...AS_BYTES, sync: group.some(({ sync }) => sync) });
  }
}

function sizeOf(operations: readonly LevelOperation[]): number {
  return operations.reduce(
    (sum, operation) => sum + operation.key.length + (operation.type === 'put' ? operation.value.length : 0),
    0,
  );
}
