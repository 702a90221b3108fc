import type { Clock, ProviderContext, Random } from '@dbmanager/core';
import { ExpirySweeper } from './expiry-sweeper.js';
import type { LevelDatabase } from './level-driver.js';
import { WriteQueue } from './write-queue.js';

/** What a {@link LevelHandle} is made of. */
export interface LevelHandleSetup {
  readonly database: LevelDatabase;
  readonly connectionName: string;
  readonly context: ProviderContext;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly sync: boolean;
  readonly expiryIntervalMs: number;
  /** Told once, when the handle has failed and must be opened anew. */
  readonly onFailed: (error: Error) => void;
}

/** One open database and what belongs to it: the order of its writes, and the removal of what has expired. */
export class LevelHandle {
  readonly database: LevelDatabase;
  readonly writes: WriteQueue;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly clock: Clock;
  readonly random: Random;
  readonly #sweeper: ExpirySweeper;
  readonly #onFailed: (error: Error) => void;
  #failed = false;

  constructor({ database, connectionName, context, now, sync, expiryIntervalMs, onFailed }: LevelHandleSetup) {
    this.database = database;
    this.now = now;
    this.writes = new WriteQueue(database, { connectionName, sync });
    this.#onFailed = onFailed;
    const { clock, logger, random } = context;
    this.clock = clock;
    this.random = random;
    this.#sweeper = new ExpirySweeper({
      database,
      writes: this.writes,
      clock,
      logger,
      connectionName,
      now,
      intervalMs: expiryIntervalMs,
    });
  }

  /** False once it has failed or was closed. */
  get usable(): boolean {
    return !this.#failed && this.database.status === 'open';
  }

  /** LevelDB failed in a way after which it may not be used again. */
  fail(error: Error): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#onFailed(error);
  }

  /** Ends what runs by itself; writes that have been asked for are done first. The database stays open. */
  async detach(): Promise<void> {
    await this.#sweeper.stop();
    await this.writes.idle();
  }
}
