import type { Clock, Logger, Timer } from '@dbmanager/core';
import { AS_BYTES, type LevelDatabase, type LevelOperation } from './level-driver.js';
import { ReadSet } from './read-set.js';
import { dueEntries, readExpiryEntry, readRecord } from './record.js';
import type { WriteMark } from './write-log.js';
import type { WriteQueue } from './write-queue.js';

/** Most keys removed in one batch, so that writes of callers get in between. */
const CHUNK = 500;

/** What an {@link ExpirySweeper} works with. */
export interface SweeperSetup {
  readonly database: LevelDatabase;
  readonly writes: WriteQueue;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly connectionName: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** 0: never. */
  readonly intervalMs: number;
}

/**
 * Removes keys from disk whose time is over. Its timer does not keep the process alive, and a key that was written anew
 * meanwhile stays.
 */
export class ExpirySweeper {
  readonly #setup: SweeperSetup;
  #timer: Timer | undefined;
  #sweeping: Promise<void> | undefined;
  #stopped = false;

  /** Sweeps after one interval for the first time. */
  constructor(setup: SweeperSetup) {
    this.#setup = setup;
    this.#schedule();
  }

  /** Resolves when a sweep under way has ended; there is none after it. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#sweeping;
  }

  #schedule(): void {
    const { clock, intervalMs } = this.#setup;
    if (intervalMs === 0 || this.#stopped) return;
    this.#timer = clock.setTimer(intervalMs, () => {
      this.#sweeping = this.#sweep();
    });
  }

  async #sweep(): Promise<void> {
    const { logger, connectionName } = this.#setup;
    try {
      while (!this.#stopped && (await this.#sweepChunk()) === CHUNK);
    } catch (error) {
      // Nobody waits for it, expired keys are hidden in any case, and the next sweep tries again.
      logger.warn({ connection: connectionName, err: error }, 'removing expired keys failed');
    }
    this.#schedule();
  }

  /** Removes the first keys that are due and returns how many entries it has dealt with. */
  async #sweepChunk(): Promise<number> {
    const { database, writes, now } = this.#setup;
    const mark = writes.log.mark();
    try {
      const iterator = database.iterator({ ...AS_BYTES, ...dueEntries(now()), values: false, limit: CHUNK });
      const entries: Uint8Array[] = [];
      try {
        for (;;) {
          const chunk = await iterator.nextv(CHUNK);
          if (chunk.length === 0) break;
          entries.push(...chunk.map(([entry]) => entry));
        }
      } finally {
        await iterator.close();
      }
      if (entries.length > 0) await this.#remove(entries, mark);
      return entries.length;
    } finally {
      writes.log.release(mark);
    }
  }

  async #remove(entries: readonly Uint8Array[], mark: WriteMark): Promise<void> {
    const { database, writes } = this.#setup;
    const due = entries.map((entry) => ({ entry, ...readExpiryEntry(entry) }));
    const options = { ...AS_BYTES, fillCache: false };
    const stored = await database.getMany(
      due.map(({ key }) => key),
      options,
    );
    // No await from here to the write: what is unchanged now is unchanged when the write takes its place in the order.
    const operations = due.flatMap(({ entry, expiresAt, key }, index): LevelOperation[] => {
      const record = stored[index];
      const reads = new ReadSet();
      reads.add(key);
      // Written anew: perhaps for the same moment, and then the entry is that write's too. Left for the next sweep.
      if (writes.log.conflicts(mark, reads)) return [];
      const current = record !== undefined && readRecord(record).expiresAt === expiresAt;
      return [{ type: 'del', key: entry }, ...(current ? [{ type: 'del', key } as const] : [])];
    });
    await writes.write(operations, { sync: false });
  }
}
