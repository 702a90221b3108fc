import type { Readable } from 'node:stream';

/**
 * Calls `onEnd` for a stream that its reader leaves early. It then neither ends nor fails, and TypeORM, which listens for
 * those only, would keep the connection for ever.
 */
export function onLeftEarly(stream: object, onEnd: unknown): void {
  if (typeof onEnd !== 'function') return;
  const readable = stream as Readable;
  readable.once('close', () => {
    if (!readable.readableEnded && readable.errored === null) onEnd();
  });
}

/** The streams of one query runner that are not closed. */
export class OpenStreams {
  /** Each with its close. */
  readonly #open = new Map<Readable, Promise<unknown>>();

  add(stream: Readable): void {
    this.#open.set(stream, new Promise((resolve) => stream.once('close', resolve)));
    stream.once('close', () => this.#open.delete(stream));
  }

  /** A reader that has left early goes on before its stream is closed, and an open one refuses writes. */
  async left(): Promise<void> {
    for (const [stream, closed] of this.#open) if (stream.destroyed) await closed;
  }
}
