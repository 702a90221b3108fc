import { EventEmitter } from 'node:events';
import type { Readable } from 'node:stream';
import { DbManagerError, type TransactionTarget } from '@dbmanager/core';
import { type ConnectionView, connectionViewClass } from './connection-view.js';
import type { MysqlCommand, MysqlConnection, MysqlDriver, MysqlPoolConnection } from './mysql-driver.js';
import { untilSettled } from './statement-control.js';
import { implicitCommit, textOf } from './statement-text.js';

type Callback = (error: unknown, ...results: unknown[]) => void;

/** Events of a query of mysql2, besides `error` and `end`, which come when its turn has ended. */
const RELAYED = ['fields', 'result'] as const;

/**
 * Makes the connections of transactions. Each behaves as a connection that somebody else has borrowed from mysql2's pool:
 * it is `instanceof` its PoolConnection, `query` and `execute` take every form, and `release`, `end` and `destroy` do
 * nothing. What would get around the turns is refused: prepared statements by hand, a change of user, a reset. It is dead
 * after the end of the transaction.
 */
export function transactionConnection(driver: MysqlDriver, tx: TransactionTarget<MysqlConnection>) {
  const refuse = (what: string): never => {
    throw new DbManagerError('DBM_UNSUPPORTED', `${what} cannot be used inside a transaction of dbmanager`, {
      connectionName: tx.name,
    });
  };

  class TransactionConnection extends connectionViewClass(driver, tx.connection) implements ConnectionView {
    query(...args: unknown[]): RelayedQuery {
      return this.#send('query', args);
    }

    execute(...args: unknown[]): RelayedQuery {
      return this.#send('execute', args);
    }

    ping(callback?: Callback): void {
      const answered = tx.turn(() => new Promise((resolve) => tx.connection.ping(resolve as never)));
      answered.then(
        (error) => callback?.(error),
        (error: unknown) => callback?.(error),
      );
    }

    beginTransaction(callback: Callback): RelayedQuery {
      return this.#send('query', ['START TRANSACTION', callback]);
    }

    commit(callback: Callback): RelayedQuery {
      return this.#send('query', ['COMMIT', callback]);
    }

    rollback(callback: Callback): RelayedQuery {
      return this.#send('query', ['ROLLBACK', callback]);
    }

    prepare(): never {
      return refuse('prepare()');
    }

    changeUser(): never {
      return refuse('changeUser()');
    }

    reset(): never {
      return refuse('reset()');
    }

    release(): void {}
    destroy(): void {}
    close(): void {}
    [Symbol.dispose](): void {}

    end(callback?: () => void): void {
      callback?.();
    }

    #send(how: 'query' | 'execute', args: unknown[]): RelayedQuery {
      const callback = args.find((arg) => typeof arg === 'function') as Callback | undefined;
      const relay = new RelayedQuery(driver);
      const sent = this.#run(how, args, relay, callback);
      sent.then(
        (results) => {
          callback?.(null, ...results);
          relay.emit('end');
        },
        (error: unknown) => {
          if (callback !== undefined) callback(error);
          else if (relay.listenerCount('error') > 0) relay.emit('error', error);
          relay.emit('end');
        },
      );
      return relay;
    }

    async #run(
      how: 'query' | 'execute',
      args: unknown[],
      relay: RelayedQuery,
      callback: Callback | undefined,
    ): Promise<unknown[]> {
      const sql = textOf(args[0]);
      tx.check(sql);
      const commits = implicitCommit(sql);
      if (commits !== undefined) refuse(`${commits}, for which the server would commit,`);
      const work = () => runInTurn(tx.connection, how, args, callback === undefined ? relay : undefined);
      return tx.turn(work, { streaming: () => relay.isRead });
    }
  }

  const connection = new TransactionConnection(() => tx.connection);
  const real = tx.connection;
  tx.onEnd(() => connection.dropListeners(real));
  return connection as unknown as MysqlPoolConnection;
}

/** A query that waits for its turn: what becomes of it is told here, by mysql2's events or as its stream. */
class RelayedQuery extends EventEmitter {
  readonly #driver: MysqlDriver;
  /** mysql2's name for what its stream holds back; set when the query is sent. */
  _connection: MysqlConnection | undefined;
  #stream: Readable | undefined;

  constructor(driver: MysqlDriver) {
    super();
    this.#driver = driver;
  }

  /** As mysql2's: the rows, in objects or as the query was told. */
  stream(options?: object): Readable {
    const { stream } = this.#driver.createQuery('', undefined, undefined, {});
    const made: Readable = Reflect.apply(stream, this, [options]);
    this.#stream = made;
    return made;
  }

  /** True while it waits for a reader to go on; without one it ends by itself. */
  get isRead(): boolean {
    return this.#stream?.destroyed === false;
  }
}

/** Runs one query, and waits until it is known what it left. With a relay rows go there; without one they are the result. */
async function runInTurn(
  connection: MysqlConnection,
  how: 'query' | 'execute',
  args: readonly unknown[],
  relay: RelayedQuery | undefined,
): Promise<unknown[]> {
  const input = args.filter((arg) => typeof arg !== 'function');
  const send = (callback?: Callback) =>
    Reflect.apply(connection[how], connection, callback === undefined ? input : [...input, callback]) as MysqlCommand;
  try {
    return await new Promise<unknown[]>((resolve, reject) => {
      if (relay === undefined) {
        send((error, ...results) => (error ? reject(error) : resolve(results)));
        return;
      }
      relay._connection = connection;
      const command = send();
      for (const event of RELAYED) command.on(event, (...told) => relay.emit(event, ...told));
      command.on('error', reject);
      command.on('end', () => resolve([]));
      connection.stream.once('close', () => reject(new Error('Connection lost: The server closed the connection.')));
    });
  } finally {
    await untilSettled(connection);
  }
}
