import {
  type CacheStats,
  type Clock,
  type ConnectionConfig,
  DbManagerError,
  KnownOptions,
  type ObserveStatements,
  type ProviderContext,
  SharedCall,
  type SqlLexis,
  type StatementResult,
} from '@dbmanager/core';
import type { CachedRead, ResultCache } from '@dbmanager/database';
import { LRUCache } from 'lru-cache';
import type { CacheStore, Place } from './cache-store.js';
import { cacheUrlProblem } from './cache-url.js';
import { DoubtfulWrites } from './doubtful-writes.js';
import { MemoryStore } from './memory-store.js';
import { RedisStore } from './redis-store.js';
import { copyResult } from './result-copy.js';
import { EVERY_TABLE, readEffects, type StatementEffects } from './statement-effects.js';
import { statementKey } from './statement-key.js';
import { WriteObserver } from './write-observer.js';

/** Texts whose reading is remembered. */
const REMEMBERED_TEXTS = 500;
/** Longer ones are read each time: they are mostly bulk inserts of ever different length. */
const LONGEST_REMEMBERED = 16_384;
const NO_LEXIS: SqlLexis = {};

/** What is to be forgotten. */
export interface Forget {
  /** What was read of these tables; they are told apart by their names alone, whatever schema stands before it. */
  readonly tables?: readonly string[] | undefined;
  /** What was asked for with one of these tags. */
  readonly tags?: readonly string[] | undefined;
}

const FORGET = new KnownOptions<Forget>('invalidate()', { tables: true, tags: true });

/** Keeps what was read; resolves when every look from then on finds it. */
type Keep = (fresh: StatementResult) => Promise<void> | undefined;

/** An execution that several wait for. */
interface Flight {
  readonly call: SharedCall<StatementResult>;
  readonly signal: AbortSignal;
}

/** What a {@link QueryCache} is made of. */
export interface QueryCacheSetup {
  readonly connectionName: string;
  readonly clock: Clock;
  readonly store: CacheStore;
  /** Of results for which the call names none. */
  readonly ttlMs: number;
}

/**
 * The kept results of one connection. A read that is allowed a kept result gets it while nobody has written to the tables that it
 * reads: through this process, by whatever door, or, where Redis keeps the results, through any process. However many ask at once
 * for what is not kept, it is asked of the database once. It never fails a query.
 */
export class QueryCache implements ResultCache {
  readonly #setup: QueryCacheSetup;
  readonly #flights = new Map<string, Flight>();
  readonly #effects = new LRUCache<string, StatementEffects>({ max: REMEMBERED_TEXTS });
  readonly #doubtful: DoubtfulWrites;
  #hits = 0;
  #misses = 0;

  constructor(setup: QueryCacheSetup) {
    this.#setup = setup;
    this.#doubtful = new DoubtfulWrites(setup.clock, this.#changed);
  }

  /** Watches an engine for writes; see `ProviderContext.observe`. */
  readonly observe: ObserveStatements = (engine) =>
    new WriteObserver(engine, (sql) => this.#effectsOf(sql, engine.lexis), {
      changed: this.#changed,
      doubtful: (tables) => this.#doubtful.add(tables),
    });

  /** Loads what keeps the results. Throws `DBM_PACKAGE_NOT_INSTALLED` when that is missing; called at the start, so that nobody finds out later. */
  load(): void {
    this.#setup.store.load();
  }

  /** See {@link ResultCache.read}. */
  async read(read: CachedRead): Promise<StatementResult> {
    const place = this.#place(read);
    if (place === undefined) return read.execute(read.options);
    const { store, ttlMs } = this.#setup;
    const { stamp, result, keeps } = await store.look(place);
    if (result !== undefined) {
      this.#hits++;
      return result;
    }
    this.#misses++;
    const { ttlMs: wanted = ttlMs } = read.wanted;
    const keep = (fresh: StatementResult) => (keeps ? store.keep(place, stamp, fresh, wanted) : undefined);
    return this.#shared(read, `${stamp}\n${place.key}`, keep);
  }

  /**
   * Drops what was read of tables, and what carries tags; in this process at once, and resolves when others know. Rejects with
   * `DBM_INVALID_OPTION` where nothing can be dropped by what was given, and with nothing else.
   */
  async invalidate(forget: Forget): Promise<void> {
    this.#setup.store.bump(namesOf(this.#checked(forget)));
    await this.told();
  }

  /** What is misspelt would drop nothing, and be found out by what is old. */
  #checked(forget: Forget | undefined): Forget {
    const refuse = (option: string, message: string) => invalidOption(this.#setup.connectionName, option, message);
    if (forget !== undefined) FORGET.check(forget, this.#setup.connectionName);
    const { tables, tags } = forget ?? {};
    if (tables === undefined && tags === undefined) {
      throw refuse('tables', 'name tables or tags; clear() drops everything');
    }
    for (const [option, texts] of Object.entries({ tables, tags })) {
      const named = texts === undefined || (Array.isArray(texts) && texts.every((text) => typeof text === 'string'));
      if (!named) throw refuse(option, `${option} is an array of texts`);
    }
    return { tables, tags };
  }

  /** Drops everything that is kept of this connection. */
  clear(): Promise<void> {
    return this.invalidate({ tables: [EVERY_TABLE] });
  }

  /** See `BridgeTarget.writesTold`. */
  told(): Promise<void> | undefined {
    return this.#setup.store.told();
  }

  stats(): CacheStats {
    return { hits: this.#hits, misses: this.#misses, ...this.#setup.store.stats() };
  }

  /**
   * Ends what it holds, once others have been told of all writes, or cannot be; reads are asked of the database from then on. To be
   * called when nothing writes any more. Never rejects; does nothing the second time.
   */
  async close(): Promise<void> {
    this.#doubtful.close();
    await this.#setup.store.close();
  }

  readonly #changed = (tables: Iterable<string>): void => this.#setup.store.bump(namesOf({ tables: [...tables] }));

  /** Undefined for what cannot be kept: it does not only read, or its tables or values cannot be told. */
  #place({ statement, lexis, wanted }: CachedRead): Place | undefined {
    const { reads } = this.#effectsOf(statement.sql, lexis);
    if (reads === undefined) return undefined;
    const { tables = [], tags = [] } = wanted;
    // Nothing but time would ever drop it.
    if (reads.length + tables.length + tags.length === 0) return undefined;
    const names = namesOf({ tables: [EVERY_TABLE, ...reads, ...tables], tags });
    const key = statementKey(statement);
    return key === undefined ? undefined : { key: `${JSON.stringify(names)}${key}`, names };
  }

  async #shared({ options, held, execute }: CachedRead, key: string, keep: Keep): Promise<StatementResult> {
    const { signal, timeoutMs, readOnly } = options;
    if (signal?.aborted) return execute(options);
    if (held) {
      const fresh = await execute(options);
      void keep(fresh);
      return fresh;
    }
    const flightKey = `${timeoutMs} ${readOnly}\n${key}`;
    const known = this.#flights.get(flightKey);
    if (known === undefined || known.signal.aborted) {
      const call = this.#start(flightKey, (stop) => execute({ ...options, signal: stop }), keep);
      return copied(await call.join(signal));
    }
    return this.#join(known, signal, () => execute(options));
  }

  #start(
    key: string,
    execute: (signal: AbortSignal) => Promise<StatementResult>,
    keep: Keep,
  ): SharedCall<StatementResult> {
    let { signal } = new AbortController();
    let keeping: Promise<void> | undefined;
    const call = new SharedCall(this.#setup.connectionName, async (stop) => {
      signal = stop;
      const fresh = await execute(stop);
      keeping = keep(fresh);
      return fresh;
    });
    const flight = { call, signal };
    this.#flights.set(key, flight);
    const forget = () => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    };
    // Who has looked before it was kept, and is answered after, still finds the flight.
    void call.settled.then(() => keeping).then(forget);
    return call;
  }

  /** Waits for what another has asked for; asks itself where the result cannot be shared. */
  async #join(
    { call }: Flight,
    signal: AbortSignal | undefined,
    alone: () => Promise<StatementResult>,
  ): Promise<StatementResult> {
    return copyResult(await call.join(signal))?.result ?? alone();
  }

  #effectsOf(sql: string, lexis: SqlLexis = NO_LEXIS): StatementEffects {
    const known = this.#effects.get(sql);
    if (known !== undefined) return known;
    const effects = readEffects(sql, lexis);
    if (sql.length <= LONGEST_REMEMBERED) this.#effects.set(sql, effects);
    return effects;
  }
}

/** Of a result that others may be given as well, a copy; one that cannot be copied is nobody else's. */
function copied(result: StatementResult): StatementResult {
  return copyResult(result)?.result ?? result;
}

function invalidOption(connectionName: string, option: string, message: string): DbManagerError {
  return new DbManagerError('DBM_INVALID_OPTION', message, { connectionName, option });
}

/** Of a table what stands behind its schema counts; texts of statements are read so as well. */
function namesOf({ tables = [], tags = [] }: Forget): string[] {
  const names = tables.map((table) => `table:${table.slice(table.lastIndexOf('.') + 1).toLowerCase()}`);
  return [...new Set([...names, ...tags.map((tag) => `tag:${tag}`)])];
}

/**
 * The cache of a connection by its configuration; undefined where `cache_enabled` is off. Results are kept in this process, or with
 * `cache_url` in Redis. Opens nothing. Throws `DBM_INVALID_OPTION` for a `cache_url` that is none.
 */
export function createQueryCache(
  { name: connectionName, options }: ConnectionConfig,
  { clock }: Pick<ProviderContext, 'clock'>,
): QueryCache | undefined {
  if (!options.cacheEnabled) return undefined;
  const store = storeOf(connectionName, options, clock);
  return new QueryCache({ connectionName, clock, ttlMs: options.cacheTtlMs, store });
}

function storeOf(connectionName: string, options: ConnectionConfig['options'], clock: Clock): CacheStore {
  const { cacheSize: size, cacheMaxBytes: maxBytes, cacheUrl: url } = options;
  if (url === undefined) return new MemoryStore({ clock, size, maxBytes });
  const problem = cacheUrlProblem(url);
  if (problem !== undefined) throw invalidOption(connectionName, 'cache_url', problem);
  const { cachePrefix: prefix, cacheTimeoutMs: timeoutMs } = options;
  return new RedisStore({ url, prefix, connectionName, clock, timeoutMs, maxBytes });
}
