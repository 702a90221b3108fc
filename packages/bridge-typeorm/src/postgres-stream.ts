import type { EventEmitter } from 'node:events';
import type { Readable } from 'node:stream';

/** pg-query-stream, with the members that its types leave out. */
export interface QueryStream extends Readable {
  readonly cursor: { readonly connection?: EventEmitter & { readonly stream: { readonly destroyed: boolean } } };
}

/** The class that pg-query-stream exports. */
export type QueryStreamClass = new (text: string, values?: unknown[]) => QueryStream;

/** pg-query-stream, which also ends when its connection dies. */
export function queryStreamClass(Base: QueryStreamClass): QueryStreamClass {
  return class PooledQueryStream extends Base {
    override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
      const { connection } = this.cursor;
      // A cursor on a dead connection waits for the server before it closes: for ever.
      const lost = () => callback(error);
      if (connection?.stream.destroyed === true) {
        lost();
        return;
      }
      connection?.once('end', lost);
      super._destroy(error, (failure) => {
        connection?.off('end', lost);
        callback(failure);
      });
    }
  };
}
