import { Database, type DatabaseSetup } from '@dbmanager/database';
import { BRIDGES } from './bridges.js';
import type { Connection } from './connection.js';

/** What `default_orm` names when it is no ORM. */
export const NATIVE = 'native';

/** The Database API of a connection, with the handle of the ORM that `default_orm` names. */
export class ConnectionDatabase extends Database {
  /** `default_orm` of the connection; `native` when it names none. */
  readonly orm: string;
  readonly #connection: Connection;

  constructor(connection: Connection, setup: DatabaseSetup) {
    super(connection, setup);
    this.orm = connection.config.options.defaultOrm ?? NATIVE;
    this.#connection = connection;
  }

  /**
   * The handle of that ORM, for code that is to follow `default_orm`: what `knex()`, `typeorm()` … or `native()` of the
   * connection give, the same object; a promise where they give one.
   */
  handle<H = unknown>(): H {
    const bridge = BRIDGES.find(({ name }) => name === this.orm);
    return (bridge === undefined ? this.#connection.native() : this.#connection.use(bridge)) as H;
  }
}
