import { types } from 'node:util';
import type { Row } from '@dbmanager/core';
import { closedError, type MysqlCommand, type MysqlConnection, type MysqlField } from './mysql-driver.js';

/** Rows kept before the socket is held back. */
const PORTION = 128;

/**
 * Reads the result of one statement in portions, so that memory stays bounded: while nobody asks for more the socket is
 * paused, and the server with it. Of several results the rows come one after the other.
 */
export class RowReader {
  readonly #connection: MysqlConnection;
  readonly #command: MysqlCommand;
  #rows: Row[] = [];
  #error: unknown;
  #ended = false;
  #unread = false;
  /** False for the summary of a statement that gives no rows, which mysql2 tells as it tells rows. */
  #columns = false;
  #wake: (() => void) | undefined;

  /** @param send sends the statement, without a callback. */
  constructor(
    connection: MysqlConnection,
    send: () => MysqlCommand,
    onColumns?: (fields: readonly MysqlField[]) => void,
  ) {
    this.#connection = connection;
    // First: what it throws has to leave no listener.
    this.#command = send();
    connection.on('error', this.#fail);
    connection.stream.on('close', this.#fail);
    this.#command.on('fields', (fields) => {
      this.#columns = fields !== undefined;
      if (fields !== undefined) onColumns?.(fields);
    });
    this.#command.on('result', this.#take);
    this.#command.on('error', this.#fail);
    this.#command.on('end', this.#end);
  }

  /** The next rows, or undefined after the last. Rejects with the error of the driver. */
  async read(): Promise<Row[] | undefined> {
    if (this.#connection._paused && this.#rows.length === 0) this.#connection.resume();
    while (this.#rows.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#error !== undefined) throw this.#error;
    const rows = this.#rows;
    this.#rows = [];
    return rows.length === 0 ? undefined : rows;
  }

  /** Lets what is left of the result go by. Resolves when the statement has ended. */
  async close(): Promise<void> {
    this.#unread = true;
    this.#rows = [];
    this.#connection.resume();
    while (!this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  readonly #take = (row: Row): void => {
    if (!this.#columns || this.#unread) return;
    this.#rows.push(row);
    if (this.#rows.length >= PORTION) this.#connection.pause();
    this.#wake?.();
  };

  readonly #fail = (error?: unknown): void => {
    this.#error ??= types.isNativeError(error) ? error : closedError();
    this.#end();
  };

  readonly #end = (): void => {
    this.#ended = true;
    this.#connection.removeListener('error', this.#fail);
    this.#connection.stream.removeListener('close', this.#fail);
    this.#wake?.();
  };
}
