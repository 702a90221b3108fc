import { EventEmitter } from 'node:events';
import type { Readable } from 'node:stream';
import type { MysqlConnection, MysqlDriver } from './mysql-driver.js';

/** A query that is not sent, or not yet: what becomes of it is told here, by mysql2's events or as its stream. */
export class RelayedQuery extends EventEmitter {
  readonly #driver: MysqlDriver;
  /** mysql2's name for what its stream holds back; set when the query is sent. */
  _connection: MysqlConnection | undefined;
  #stream: Readable | undefined;
  readonly #left = Promise.withResolvers<void>();

  constructor(driver: MysqlDriver) {
    super();
    this.#driver = driver;
  }

  /** As mysql2's: the rows, in objects or as the query was told. */
  stream(options?: object): Readable {
    const { stream } = this.#driver.createQuery('', undefined, undefined, {});
    const made: Readable = Reflect.apply(stream, this, [options]);
    made.once('close', this.#left.resolve);
    this.#stream = made;
    return made;
  }

  /** True while it waits for a reader to go on; without one it ends by itself. */
  get isRead(): boolean {
    return this.#stream?.destroyed === false;
  }

  /** Resolves when its reader is done with it, having read it all or not. */
  get left(): Promise<void> {
    return this.#left.promise;
  }
}
