import { type Clock, Deadline, loadPeer, type Secret } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { Redis } from 'ioredis';

/** After a failure nobody asks again for so long, unless the connection comes back before. */
const PAUSE_MS = 1_000;
const LONGEST_RECONNECT_MS = 1_000;

/** What a {@link RedisLink} is made of. */
export interface RedisLinkSetup {
  readonly url: Secret;
  readonly clock: Clock;
  /** How long one call may take. */
  readonly timeoutMs: number;
  readonly connectionName: string;
  /** Redis can be asked again, after it could not. */
  onReady(): void;
}

/** A connection to Redis that is never waited for long: opened at the first call, opened again by itself. */
export class RedisLink {
  readonly #setup: RedisLinkSetup;
  #redis: Redis | undefined;
  /** Which run of the server it is, of the connection as it is now. */
  #run: Promise<string> | undefined;
  #pausedUntil = Number.NEGATIVE_INFINITY;
  #closed = false;
  #errors = 0;

  constructor(setup: RedisLinkSetup) {
    this.#setup = setup;
  }

  get errors(): number {
    return this.#errors;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Throws `DBM_PACKAGE_NOT_INSTALLED` without ioredis. Connects nothing yet. */
  load(): Redis {
    this.#redis ??= this.#open();
    return this.#redis;
  }

  /**
   * What `work` resolves to. Rejects as it does, or when it takes too long, and then at once for a while; failures are counted.
   *
   * @param work is told the run of the server, another one after each restart.
   */
  async ask<T>(work: (redis: Redis, run: string) => Promise<T>): Promise<T> {
    const { clock, timeoutMs } = this.#setup;
    if (this.#closed || clock.now() < this.#pausedUntil) throw new Error('Redis is not asked for a while');
    using deadline = new Deadline(clock, timeoutMs);
    try {
      return await deadline.race(this.#ask(work));
    } catch (error) {
      this.#errors++;
      this.#pausedUntil = clock.now() + PAUSE_MS;
      throw error;
    }
  }

  /** Ends it; later calls reject. */
  close(): void {
    this.#closed = true;
    this.#redis?.disconnect();
  }

  async #ask<T>(work: (redis: Redis, run: string) => Promise<T>): Promise<T> {
    const redis = this.load();
    this.#run ??= this.#runOf(redis);
    return work(redis, await this.#run);
  }

  #runOf(redis: Redis): Promise<string> {
    const run = runOf(redis);
    // Asked again by the next: the connection may well stay.
    run.catch(() => {
      if (this.#run === run) this.#run = undefined;
    });
    return run;
  }

  #open(): Redis {
    const { url, connectionName } = this.#setup;
    const by = 'the query cache with cache_url';
    const { Redis: Client } = loadPeer<typeof import('ioredis')>('ioredis', import.meta.url, { by, connectionName });
    const redis = new Client(url.reveal(), {
      lazyConnect: true,
      // What could not be sent is given up when the connection is lost: nobody waits for it any more.
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      // A timer that ioredis sets at the end, also where nothing is open any more.
      disconnectTimeout: 50,
      retryStrategy: (attempt) => Math.min(50 * attempt, LONGEST_RECONNECT_MS),
    });
    // Whoever asks is told; a connection that fails between two questions is nobody's error.
    redis.on('error', () => undefined);
    redis.on('close', () => {
      this.#run = undefined;
    });
    redis.on('ready', () => {
      this.#pausedUntil = Number.NEGATIVE_INFINITY;
      this.#setup.onReady();
    });
    return redis;
  }
}

/** The number that a server gives itself at its start. */
async function runOf(redis: Redis): Promise<string> {
  const run = /^run_id:(\w+)/m.exec(await redis.info('server'))?.[1];
  if (run === undefined) throw new Error('Redis does not tell its run_id');
  return run;
}
