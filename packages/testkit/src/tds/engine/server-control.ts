import type { DatabaseSettings } from './database.js';
import type { Session } from './session.js';

/** What statements can do to the server as a whole. */
export interface ServerControl {
  /** Ends the connection of a session. Throws error 6106 when there is none, 6104 when it is the asker's own. */
  kill(spid: number, by: Session): void;
  shutdown(): void;
  createDatabase(name: string): void;
  dropDatabase(name: string): void;
  /** Gives the settings of a database to change them; what is changed is kept by {@link saveSettings}. */
  settings(name: string): DatabaseSettings;
  saveSettings(): void;
  /** Ends the connections in a database but for one. */
  endAllBut(database: string, session: Session): void;
  setLogin(name: string, password: string | undefined): void;
  dropLogin(name: string): void;
  /** A named lock, of sp_getapplock. Gives its result: 0 or 1 when got, below 0 when not. */
  lockNamed(
    session: Session,
    name: string,
    owner: 'transaction' | 'session',
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<number>;
  /** False: it was not held. */
  unlockNamed(session: Session, name: string): boolean;
}
