import { loadPeer } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { SessionData, Store } from 'express-session';
import type { SessionStore } from '../session-store.js';
import { type Callback, callBack } from './call-back.js';
import { type WebSessionOptions, WebSessions } from './web-sessions.js';

/** What is used of the package. */
interface ExpressSession {
  readonly Store: typeof Store;
}

/**
 * A store of express-session (1.17 and newer): `session({ secret, store: expressSessionStore(sessions) })`. It is a `Store` of that
 * package, with `touch` and the optional `all`, which gives an array of sessions with their `id`, `length` and `clear`.
 *
 * What fails is the error of the callback, of which the middleware makes that of the request. Where there is none, as after
 * `req.session.destroy()`, it is the event `error` of the store, and a warning of the process when nobody listens.
 *
 * Throws `DBM_PACKAGE_NOT_INSTALLED` without express-session.
 */
export function expressSessionStore(sessions: SessionStore, options?: WebSessionOptions): Store {
  const by = 'the session store of Express';
  const { Store: Base } = loadPeer<ExpressSession>('express-session', import.meta.url, { by });
  return new (storeOn(Base))(new WebSessions(sessions, options));
}

/** The package's class, which makes sessions of what it is given, with a database behind. */
function storeOn(Base: typeof Store): new (sessions: WebSessions) => Store {
  return class DatabaseSessionStore extends Base {
    readonly #sessions: WebSessions;

    constructor(sessions: WebSessions) {
      super();
      this.#sessions = sessions;
    }

    override get(id: string, callback: Callback<SessionData | null>): void {
      // What it has saved.
      callBack(this.#sessions.load(id) as Promise<SessionData | null>, callback);
    }

    override set(id: string, session: SessionData, callback?: Callback): void {
      this.#tell(this.#sessions.save(id, session), callback);
    }

    override touch(id: string, session: SessionData, callback?: Callback): void {
      this.#tell(this.#sessions.touch(id, session), callback);
    }

    override destroy(id: string, callback?: Callback): void {
      this.#tell(this.#sessions.destroy(id), callback);
    }

    override all(callback: Callback<SessionData[]>): void {
      callBack(this.#sessions.all() as Promise<unknown> as Promise<SessionData[]>, callback);
    }

    override length(callback: Callback<number>): void {
      callBack(this.#sessions.count(), callback);
    }

    override clear(callback?: Callback): void {
      this.#tell(this.#sessions.clear(), callback);
    }

    #tell(work: Promise<void>, callback: Callback = this.#unasked): void {
      callBack(work, callback);
    }

    readonly #unasked = (error: Error | null): void => {
      if (error === null) return;
      if (this.listenerCount('error') > 0) this.emit('error', error);
      else process.emitWarning(error);
    };
  };
}
