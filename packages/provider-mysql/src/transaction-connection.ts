import {
  type Clock,
  DbManagerError,
  type StatementControl,
  StatementWatch,
  type TransactionTarget,
} from '@dbmanager/core';
import { type ConnectionView, connectionViewClass } from './connection-view.js';
import {
  closedError,
  type MysqlCommand,
  type MysqlConnection,
  type MysqlDriver,
  type MysqlPoolConnection,
} from './mysql-driver.js';
import { RelayedQuery } from './relayed-query.js';
import { drainOrStop, untilSettled } from './statement-control.js';
import { implicitCommit, textOf } from './statement-text.js';

type Callback = (error: unknown, ...results: unknown[]) => void;

/** Events of a query of mysql2, besides `error` and `end`, which come when its turn has ended. */
const RELAYED = ['fields', 'result'] as const;

/** What the connections of transactions have in common. */
export interface TransactionConnectionSetup {
  readonly driver: MysqlDriver;
  readonly clock: Clock;
  readonly control: StatementControl<MysqlConnection>;
}

/**
 * Makes the connections of transactions. Each behaves as a connection that somebody else has borrowed from mysql2's pool:
 * it is `instanceof` its PoolConnection, `query` and `execute` take every form, and `release`, `end` and `destroy` do
 * nothing. What would get around the turns is refused: prepared statements by hand, a change of user, a reset. It is dead
 * after the end of the transaction.
 */
export function transactionConnection(
  { driver, clock, control }: TransactionConnectionSetup,
  tx: TransactionTarget<MysqlConnection>,
) {
  /** Runs a query for its relay; when its reader leaves early the rest goes by, or the statement is stopped. */
  const runForRelay = async (how: 'query' | 'execute', args: unknown[], relay: RelayedQuery) => {
    const { connection, name: connectionName } = tx;
    const answered = runInTurn(connection, how, args, relay);
    const over = answered.then(
      () => true,
      () => true,
    );
    if (!(await Promise.race([over, relay.left.then(() => false)]))) {
      const limits = { timeoutMs: 0, serverTimeoutMs: 0, signal: undefined };
      const watch = new StatementWatch({ control, connection, clock, connectionName, ...limits });
      await drainOrStop(watch, clock, answered);
    }
    return answered;
  };
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
      const work = () =>
        callback === undefined ? runForRelay(how, args, relay) : runInTurn(tx.connection, how, args, undefined);
      return tx.turn(work, { streaming: () => relay.isRead });
    }
  }

  const connection = new TransactionConnection(() => tx.connection);
  const real = tx.connection;
  tx.onEnd(() => connection.dropListeners(real));
  return connection as unknown as MysqlPoolConnection;
}

/** Runs one query, and waits until it is known what it left. With a relay rows go there; without one they are the result. */
async function runInTurn(
  connection: MysqlConnection,
  how: 'query' | 'execute',
  args: readonly unknown[],
  relay: RelayedQuery | undefined,
): Promise<unknown[]> {
  const input = args.filter((arg) => typeof arg !== 'function');
  const { stream: socket } = connection;
  let onClose = () => {};
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
      onClose = () => reject(closedError());
      socket.once('close', onClose);
    });
  } finally {
    socket.removeListener('close', onClose);
    await untilSettled(connection);
  }
}
