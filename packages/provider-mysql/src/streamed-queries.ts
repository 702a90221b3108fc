import type { Readable } from 'node:stream';
import { closedError, type MysqlConnection } from './mysql-driver.js';

/** A query of mysql2 that was sent without a callback: its rows come as events, or by a stream. */
export interface StreamedQuery {
  once(event: 'error' | 'end', listener: (error: unknown) => void): unknown;
  emit(event: 'error' | 'end', error?: unknown): boolean;
  stream(options?: object): Readable;
}

/** The queries of one checkout that were sent without a callback and have not ended. */
export class StreamedQueries {
  /** Each with the stream it is read by, where there is one. */
  readonly #open = new Map<StreamedQuery, Readable | undefined>();

  get size(): number {
    return this.#open.size;
  }

  /** mysql2 does not tell it when the connection dies, and its reader would wait for ever: that is done here. */
  add(query: StreamedQuery, { stream: socket }: MysqlConnection, onError: (error: unknown) => void): void {
    const { stream } = query;
    this.#open.set(query, undefined);
    query.stream = (options) => {
      const rows: Readable = Reflect.apply(stream, query, [options]);
      if (this.#open.has(query)) this.#open.set(query, rows);
      return rows;
    };
    const lost = () => {
      query.emit('error', closedError());
      query.emit('end');
    };
    query.once('error', (error) => {
      // Its reader is to hear this, also where somebody gives the connection back because of it.
      this.#open.delete(query);
      onError(error);
    });
    query.once('end', () => {
      socket.removeListener('close', lost);
      this.#open.delete(query);
    });
    if (socket.closed) process.nextTick(lost);
    else socket.once('close', lost);
  }

  /** Ends the streams, whose readers get nothing more: one that is left open would hold the connection back. */
  end(reason: Error): void {
    for (const rows of this.#open.values()) {
      // Without a listener the error would end the process.
      if (rows !== undefined) rows.destroy(rows.listenerCount('error') > 0 ? reason : undefined);
    }
  }
}
