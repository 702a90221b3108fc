import type { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';

/** The streams of one query runner, and what TypeORM forgets about them. */
export class OpenStreams {
  /** Each with its close. */
  readonly #open = new Map<Readable, Promise<unknown>>();

  /**
   * Tells of a stream. `onEnd` is called for it when its reader leaves early: it then neither ends nor fails, and TypeORM,
   * which listens for those only, would keep the connection for ever.
   */
  add(stream: object, onEnd: unknown): void {
    const readable = stream as Readable;
    this.#open.set(readable, closed(readable));
    readable.once('close', () => {
      this.#open.delete(readable);
      if (typeof onEnd === 'function' && !readable.readableEnded && readable.errored === null) onEnd();
    });
  }

  /** A reader that has left goes on before its stream is closed, and an open one holds the connection. */
  async left(): Promise<void> {
    for (const [stream, close] of this.#open) if (stream.destroyed) await close;
  }
}

async function closed(stream: Readable): Promise<void> {
  await new Promise((resolve) => stream.once('close', resolve));
  await setImmediate(); // for whoever else has waited for it, such as the turn of a transaction
}
