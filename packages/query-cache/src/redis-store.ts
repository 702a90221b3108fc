import { createHash, randomBytes } from 'node:crypto';
import { deserialize, serialize } from 'node:v8';
import type { Clock, Secret, StatementResult, Timer } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { Redis } from 'ioredis';
import { type CacheStore, EVERYTHING, type Looked, type Place } from './cache-store.js';
import { Generations } from './generations.js';
import { RedisLink } from './redis-link.js';
import { copyResult } from './result-copy.js';

/** How long Redis remembers that a name has changed; forgetting it costs a miss, no more. */
const TOKEN_MS = 24 * 60 * 60 * 1_000;
/** Names that are told one by one; past that everything is told to have changed. */
const MOST_UNTOLD = 1_000;
/** Between attempts to tell what could not be told. */
const RETRY_MS = 1_000;

/** What a {@link RedisStore} is made of. */
export interface RedisStoreSetup {
  readonly url: Secret;
  /** What all keys begin with. */
  readonly prefix: string;
  readonly connectionName: string;
  readonly clock: Clock;
  /** How long Redis may take for one thing. */
  readonly timeoutMs: number;
  /** A result that takes more is not kept. */
  readonly maxBytes: number;
}

/** A result as it is kept. */
interface Kept extends Pick<StatementResult, 'rows' | 'rowsAffected' | 'lastInsertId'> {
  readonly stamp: string;
}

/**
 * Keeps results in Redis, where other processes find them. Every name that results depend on has a token there, which a change
 * replaces; a result holds the tokens that it was read under, and is right while they are those that Redis has. So nothing has
 * to arrive for a result to be dropped, and whatever Redis forgets costs a miss. See docs/decisions/0008.
 */
export class RedisStore implements CacheStore {
  readonly #setup: RedisStoreSetup;
  readonly #link: RedisLink;
  readonly #prefix: string;
  /** What this process has changed, for the time that Redis cannot be asked. */
  readonly #local = new Generations();
  /** Names that have changed without Redis having been told, each with the number of its last change. */
  readonly #untold = new Map<string, number>();
  #changes = 0;
  #telling: Promise<void> | undefined;
  #retry: Timer | undefined;

  constructor(setup: RedisStoreSetup) {
    const { url, prefix, connectionName, clock, timeoutMs } = setup;
    this.#setup = setup;
    // In braces: the part by which a cluster places a key, so that all of a connection are in one place.
    this.#prefix = `${prefix}:{${connectionName}}`;
    this.#link = new RedisLink({ url, clock, timeoutMs, connectionName, onReady: () => void this.told() });
  }

  /** Throws `DBM_PACKAGE_NOT_INSTALLED` without ioredis. */
  load(): void {
    this.#link.load();
  }

  async look({ key, names }: Place): Promise<Looked> {
    // Waited for: what is read by the local stamp alone does not know of writes of others, and may be shared.
    if (this.#isUntold(names)) await this.told();
    if (this.#isUntold(names)) return this.#without(names);
    try {
      return await this.#link.ask((redis, run) => this.#look(redis, run, key, names));
    } catch {
      // Counted by the link.
      return this.#without(names);
    }
  }

  async keep({ key }: Place, stamp: string, result: StatementResult, ttlMs: number): Promise<void> {
    const ttl = Math.floor(ttlMs);
    const copy = ttl < 1 ? undefined : copyResult(result);
    if (copy === undefined) return;
    const value = serialize({ stamp, ...copy.result } satisfies Kept);
    if (value.length > this.#setup.maxBytes) return;
    try {
      await this.#link.ask((redis) => redis.set(this.#entryKey(key), value, 'PX', ttl));
    } catch {
      // Counted by the link.
    }
  }

  bump(names: Iterable<string>): void {
    const changed = [...names];
    this.#local.bump(changed);
    for (const name of changed) this.#untold.set(name, ++this.#changes);
    if (this.#untold.size > MOST_UNTOLD) {
      this.#untold.clear();
      this.#untold.set(EVERYTHING, ++this.#changes);
    }
    void this.told();
  }

  told(): Promise<void> | undefined {
    if (this.#untold.size === 0 || this.#link.closed) return undefined;
    this.#telling ??= this.#tell();
    return this.#telling;
  }

  stats() {
    return { evictions: 0, errors: this.#link.errors, held: undefined };
  }

  async close(): Promise<void> {
    await this.told();
    this.#retry?.cancel();
    this.#link.close();
  }

  #isUntold(names: readonly string[]): boolean {
    return names.some((name) => this.#untold.has(name));
  }

  /** What can be said without Redis. */
  #without(names: readonly string[]): Looked {
    return { stamp: `local ${this.#local.stamp(names)}`, result: undefined, keeps: false };
  }

  async #look(redis: Redis, run: string, key: string, names: readonly string[]): Promise<Looked> {
    const tokenKeys = names.map((name) => this.#tokenKey(name));
    const [kept = null, ...known] = await redis.mgetBuffer(this.#entryKey(key), ...tokenKeys);
    const tokens = known.includes(null) ? await makeTokens(redis, tokenKeys) : known;
    const stamp = `${run} ${tokens.join(' ')}`;
    return { stamp, result: resultOf(kept, stamp), keeps: true };
  }

  async #tell(): Promise<void> {
    try {
      while (this.#untold.size > 0) {
        const changes = [...this.#untold];
        await this.#link.ask((redis) => this.#replaceTokens(redis, changes));
        for (const [name, change] of changes) if (this.#untold.get(name) === change) this.#untold.delete(name);
      }
    } catch {
      this.#tellLater();
    } finally {
      // At once: who changes something from now on must not take this for the telling of it.
      this.#telling = undefined;
    }
  }

  #tellLater(): void {
    if (this.#link.closed) return;
    this.#retry?.cancel();
    this.#retry = this.#setup.clock.setTimer(RETRY_MS, () => void this.told());
  }

  async #replaceTokens(redis: Redis, changes: readonly (readonly [name: string, change: number])[]): Promise<void> {
    const pipeline = redis.pipeline();
    for (const [name] of changes) pipeline.set(this.#tokenKey(name), newToken(), 'PX', TOKEN_MS);
    throwFirst(await pipeline.exec());
  }

  #tokenKey(name: string): string {
    return `${this.#prefix}:changed:${name}`;
  }

  #entryKey(key: string): string {
    return `${this.#prefix}:result:${createHash('sha256').update(key).digest('base64url')}`;
  }
}

/** Gives names that have none a token, and what all have then: another process may have been first. */
async function makeTokens(redis: Redis, tokenKeys: readonly string[]): Promise<readonly (Buffer | null)[]> {
  const pipeline = redis.pipeline();
  for (const key of tokenKeys) pipeline.set(key, newToken(), 'PX', TOKEN_MS, 'NX');
  throwFirst(await pipeline.exec());
  return redis.mgetBuffer(...tokenKeys);
}

function newToken(): string {
  return randomBytes(12).toString('base64url');
}

function throwFirst(replies: readonly (readonly [error: Error | null, reply: unknown])[] | null): void {
  const [error] = replies?.find(([error]) => error !== null) ?? [];
  if (error) throw error;
}

/** What has another stamp, or what another version of Node has written in a form that this one does not know, is not there. */
function resultOf(kept: Buffer | null, stamp: string): StatementResult | undefined {
  if (kept === null) return undefined;
  try {
    const { stamp: was, ...result } = deserialize(kept) as Kept;
    return was === stamp ? result : undefined;
  } catch {
    return undefined;
  }
}
