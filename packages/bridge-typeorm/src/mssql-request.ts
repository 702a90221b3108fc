import type { EventEmitter } from 'node:events';
import type { Readable, ReadableOptions } from 'node:stream';

/** What is needed of node-mssql's request. */
interface MssqlRequest extends EventEmitter {
  cancel(): boolean;
  toReadableStream(options?: ReadableOptions): Readable;
}

/** The class of node-mssql's requests. */
export type MssqlRequestClass = new (...args: never[]) => MssqlRequest;

/**
 * node-mssql's request with streams that end the request on the server when their reader leaves, and close when it has
 * ended; alone it reads all that is left.
 */
export function stoppingRequest(Request: MssqlRequestClass): MssqlRequestClass {
  return class StoppingRequest extends Request {
    override toReadableStream(options?: ReadableOptions): Readable {
      let over = false;
      let failed = false;
      this.once('done', () => {
        over = true;
      });
      this.once('error', () => {
        failed = true;
      });
      const destroy = (error: Error | null, callback: (error?: Error | null) => void): void => {
        if (over) {
          callback(error);
          return;
        }
        this.once('done', () => callback(error));
        if (!failed) this.cancel();
      };
      return super.toReadableStream({ ...options, destroy });
    }
  };
}
