import { DbManagerError, KnownOptions } from '@dbmanager/core';
import type { SessionInput, SessionStore } from '../session-store.js';
import type { JsonObject } from '../store-values.js';

/** How long a session lives whose cookie has no end of its own, unless said: a day. */
const DEFAULT_TTL_MS = 86_400_000;

/** What of a session is kept in columns of its own, besides its data. */
export type SessionOwner = Pick<SessionInput, 'userId' | 'tenantId' | 'ipAddress' | 'userAgent'>;

/** Options of session stores of web frameworks. */
export interface WebSessionOptions {
  /** How long a session lives whose cookie ends with the browser, from its last use, in milliseconds. Default: a day. */
  readonly ttlMs?: number | undefined;
  /** Whose a session is, by its data: so that those of one user can be found. Default: nobody's. */
  readonly ownerOf?: ((session: JsonObject) => SessionOwner) | undefined;
}

const OPTIONS = new KnownOptions<WebSessionOptions>('a session store', { ttlMs: true, ownerOf: true });

/** What the frameworks have of a cookie, as it is before it is stored or after. */
interface SessionCookie {
  readonly expires?: unknown;
}

/** A framework's session: data of the application, and its cookie. */
export interface WebSession {
  readonly cookie?: SessionCookie | undefined;
}

/** Sessions as web frameworks have them, in a {@link SessionStore}: their JSON is its data, and they live as long as their cookie. */
export class WebSessions {
  readonly #sessions: SessionStore;
  readonly #ttlMs: number;
  readonly #ownerOf: WebSessionOptions['ownerOf'];

  /** Throws `DBM_INVALID_OPTION` for options that cannot be meant. */
  constructor(sessions: SessionStore, options: WebSessionOptions = {}) {
    OPTIONS.check(options, undefined);
    const { ttlMs = DEFAULT_TTL_MS, ownerOf } = options;
    if (!(Number.isFinite(ttlMs) && ttlMs > 0)) throw invalid('ttlMs', 'a session lives for milliseconds above 0');
    if (ownerOf !== undefined && typeof ownerOf !== 'function') throw invalid('ownerOf', 'ownerOf must be a function');
    this.#sessions = sessions;
    this.#ttlMs = ttlMs;
    this.#ownerOf = ownerOf;
  }

  /** What was saved; null when there is none, or its time is over. */
  async load(id: string): Promise<JsonObject | null> {
    const found = await this.#sessions.load(id);
    return found === undefined ? null : withEnd(found.data, found.expiresAt);
  }

  /** Saves a session, whether there is one or not. */
  async save(id: string, session: WebSession): Promise<void> {
    const data = session as JsonObject;
    await this.#sessions.save({ ...this.#ownerOf?.(data), id, data, expiresAt: this.#endOf(session) });
  }

  /** Lets a session live as long as its cookie does by now. Of one that is not there it does nothing. */
  async touch(id: string, session: WebSession): Promise<void> {
    await this.#sessions.touch(id, this.#endOf(session));
  }

  /** Deletes a session; of one that is not there it does nothing. */
  async destroy(id: string): Promise<void> {
    await this.#sessions.delete(id);
  }

  /** Every session whose time is not over, each with its `id`. */
  async all(): Promise<JsonObject[]> {
    const found = await this.#sessions.all();
    return found.map(({ id, data, expiresAt }) => ({ ...withEnd(data, expiresAt), id }));
  }

  count(): Promise<number> {
    return this.#sessions.count();
  }

  async clear(): Promise<void> {
    await this.#sessions.clear();
  }

  /** `expires` is a date, the text of one, or false or null for a cookie that ends with the browser. */
  #endOf({ cookie }: WebSession): Date {
    const expires = cookie?.expires;
    if (expires instanceof Date) return expires;
    return typeof expires === 'string' ? new Date(expires) : new Date(Date.now() + this.#ttlMs);
  }
}

function invalid(option: string, message: string): DbManagerError {
  return new DbManagerError('DBM_INVALID_OPTION', message, { option });
}

/** The data with the end that touching has given it since. */
function withEnd(data: JsonObject, expiresAt: Date): JsonObject {
  const cookie = data.cookie as SessionCookie | undefined;
  return typeof cookie?.expires === 'string' ? { ...data, cookie: { ...cookie, expires: expiresAt.toJSON() } } : data;
}
