import { DbManagerError, type Lease } from '@dbmanager/core';
import type { MongodbConnection } from './mongodb-connection.js';

/** Where sessions are given back. */
export interface SessionDesk {
  readonly name: string;
  giveBack(connection: MongodbConnection): void;
  note(connection: MongodbConnection, summary: string): void;
}

/** A session on loan. */
export class SessionLease implements Lease<MongodbConnection> {
  readonly id: number;
  readonly #desk: SessionDesk;
  /** Undefined once given back. */
  #connection: MongodbConnection | undefined;

  constructor(id: number, connection: MongodbConnection, desk: SessionDesk) {
    this.id = id;
    this.#connection = connection;
    this.#desk = desk;
  }

  get connection(): MongodbConnection {
    if (this.#connection !== undefined) return this.#connection;
    throw new DbManagerError('DBM_LEASE_RELEASED', `lease ${this.id} was used after it had been released`, {
      connectionName: this.#desk.name,
    });
  }

  get released(): boolean {
    return this.#connection === undefined || this.#connection.session.hasEnded;
  }

  release(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#connection = undefined;
    this.#desk.giveBack(connection);
  }

  /** As `release`: what is of no use of the driver's connections, the driver closes by itself. */
  discard(): void {
    this.release();
  }

  note(summary: string): void {
    if (this.#connection !== undefined) this.#desk.note(this.#connection, summary);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
  }
}
