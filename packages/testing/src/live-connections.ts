import { type ConnectionFactory, DbManagerError } from '@dbmanager/core';
import { overlay } from './overlay.js';

/** A connection that is open. */
interface Live<C> {
  readonly factory: ConnectionFactory<C>;
  lost(error: Error): void;
}

/** The open connections of one engine, which can be ended as a server ends them that dies. */
export class LiveConnections<C> {
  readonly #connectionName: string;
  readonly #live = new Map<C, Live<C>>();
  /** Those that were killed, until their pool has them destroyed: that has been done then. */
  readonly #killed = new Map<C, Promise<void>>();

  constructor(connectionName: string) {
    this.#connectionName = connectionName;
  }

  /** `factory`, whose connections are known here. */
  known(factory: ConnectionFactory<C>): ConnectionFactory<C> {
    return overlay(factory, {
      create: async (context) => {
        const connection = await factory.create(context);
        this.#live.set(connection, { factory, lost: (error) => context.lost(error) });
        return connection;
      },
      destroy: async (connection, signal) => {
        this.#live.delete(connection);
        const killed = this.#killed.get(connection);
        this.#killed.delete(connection);
        await (killed ?? factory.destroy(connection, signal));
      },
    });
  }

  /** Ends one connection, or all where it is not known which one is meant. Their pools are told at once. */
  kill(which: unknown): void {
    const one = this.#live.get(which as C);
    const chosen: [C, Live<C>][] = one === undefined ? [...this.#live] : [[which as C, one]];
    for (const [connection, { factory, lost }] of chosen) {
      this.#live.delete(connection);
      this.#killed.set(connection, factory.destroy(connection, AbortSignal.abort()));
      lost(
        new DbManagerError('DBM_CONNECTION_LOST', 'the server has gone, as the test asked for', {
          connectionName: this.#connectionName,
        }),
      );
    }
  }
}
