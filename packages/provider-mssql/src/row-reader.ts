import type { Row } from '@dbmanager/core';
import type { Job } from './job.js';
import { requestJob } from './job.js';
import type { MssqlConnection } from './mssql-connection.js';
import { rowOf, type TediousColumn } from './mssql-values.js';
import type { TediousRequest } from './tedious-driver.js';

/** Rows kept before the socket is held back. */
const PORTION = 128;

/**
 * Reads the result of one request in portions, so that memory stays bounded: while nobody asks for more the request is
 * paused, and the server with it. Of several results the rows come one after the other.
 */
export class RowReader {
  readonly #request: TediousRequest;
  readonly #job: Job;
  #rows: Row[] = [];
  #error: unknown;
  #ended = false;
  #unread = false;
  #wake: (() => void) | undefined;

  /** Sends the request. */
  constructor(connection: MssqlConnection, how: 'execSql' | 'execSqlBatch', request: TediousRequest) {
    this.#request = request;
    request.on('row', this.#take);
    this.#job = { ...requestJob(how, request, undefined, { timeoutMs: 0 }), deliver: this.#end };
    connection.submit(this.#job);
  }

  /** The next rows, or undefined after the last. Rejects with the error of the driver. */
  async read(): Promise<Row[] | undefined> {
    if (this.#rows.length === 0) this.#request.resume();
    while (this.#rows.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const rows = this.#rows;
    this.#rows = [];
    if (rows.length > 0) return rows;
    if (this.#error !== undefined) throw this.#error;
    return undefined;
  }

  /** Calls the rest off; the connection is ready for the next when it is idle. */
  leave(): void {
    this.#unread = true;
    this.#rows = [];
    if (!this.#ended) this.#request.cancel();
  }

  readonly #take = (columns: readonly TediousColumn[]): void => {
    if (this.#unread) return;
    this.#rows.push(rowOf(columns));
    if (this.#rows.length >= PORTION) this.#request.pause();
    this.#wake?.();
  };

  readonly #end = ([error]: Parameters<Job['deliver']>[0]): void => {
    this.#ended = true;
    this.#error = error ?? undefined;
    this.#wake?.();
  };
}
