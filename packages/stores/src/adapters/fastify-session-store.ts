import type { SessionStore } from '../session-store.js';
import { type Callback, callBack } from './call-back.js';
import { type WebSession, type WebSessionOptions, WebSessions } from './web-sessions.js';

/**
 * The store of `@fastify/session` (11): `register(session, { secret, store: new FastifySessionStore(sessions) })`. What fails is the
 * error of the callback, of which the plugin makes an answer 500.
 */
export class FastifySessionStore {
  readonly #sessions: WebSessions;

  constructor(sessions: SessionStore, options?: WebSessionOptions) {
    this.#sessions = new WebSessions(sessions, options);
  }

  /** Gives the session, of the application's own type `S`; null when there is none, or its time is over. */
  get<S extends object>(sessionId: string, callback: Callback<S | null>): void {
    callBack(this.#sessions.load(sessionId) as Promise<S | null>, callback);
  }

  /** Saves a session, whether there is one or not. */
  set(sessionId: string, session: WebSession, callback: Callback): void {
    callBack(this.#sessions.save(sessionId, session), callback);
  }

  /** Deletes a session; of one that is not there that is no error. */
  destroy(sessionId: string, callback: Callback): void {
    callBack(this.#sessions.destroy(sessionId), callback);
  }
}
