import type { Readable, Transform } from 'node:stream';

/** What a stream reads from. */
interface StreamConnection {
  failed(error: unknown): void;
  /** Calls `listener` when the connection dies; returns the function that ends that. */
  onLost(listener: () => void): () => void;
}

/** Resolves when `source` has let go of its connection; a reader is told when the connection died instead. */
export function closing(source: Readable, reader: Transform, connection: StreamConnection | undefined): Promise<void> {
  return new Promise((resolve) => {
    source.once('error', (error) => connection?.failed(error));
    // A cursor on a dead connection waits for the server before it closes: for ever.
    const forget = connection?.onLost(() => {
      reader.destroy(source.errored ?? new Error('Connection terminated unexpectedly'));
      resolve();
    });
    source.once('close', () => {
      forget?.();
      resolve();
    });
  });
}
