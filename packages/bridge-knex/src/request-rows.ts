import type { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';

/** What is needed of a request of tedious. */
export interface TediousRequest extends EventEmitter {
  pause(): void;
  resume(): void;
  cancel(): void;
}

/** A value of a row, as tedious gives it. */
interface Column {
  readonly metadata: { readonly colName: string };
  readonly value: unknown;
}

/** Makes a request that tells how it has ended: perhaps of an error first, and then always without one. */
export type MakeRequest<R extends TediousRequest> = (ended: (error: unknown) => void) => R;

/**
 * The rows of a request, asked for as fast as they are read. Destroyed early it ends the request on the server; it closes
 * when the request has ended, as the connection is good for nothing else before.
 */
export function requestRows<R extends TediousRequest>(make: MakeRequest<R>): { request: R; rows: Readable } {
  const ended = Promise.withResolvers<void>();
  let failure: unknown;
  const request = make((error) => {
    failure ??= error;
  });
  const rows = new Readable({
    objectMode: true,
    read: () => request.resume(),
    destroy(error, callback) {
      request.cancel();
      void ended.promise.then(() => callback(error));
    },
  });
  request.on('row', (columns: readonly Column[]) => {
    if (!rows.push(Object.fromEntries(columns.map(({ metadata, value }) => [metadata.colName, value])))) {
      request.pause();
    }
  });
  request.once('requestCompleted', () => {
    ended.resolve();
    if (failure === undefined || failure === null) rows.push(null);
    else rows.destroy(failure as Error);
  });
  return { request, rows };
}
