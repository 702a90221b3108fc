import { abortedError, raceSignal } from '@dbmanager/core';
import { keyId } from '@dbmanager/provider-kv';

/**
 * The order of writes: those of one key are made in the order in which they were asked for, one after the other; those of
 * other keys run side by side.
 */
export class KeyTurns {
  readonly #connectionName: string;
  /** The last write of each key that is waiting or under way. None of them rejects. */
  readonly #last = new Map<string, Promise<void>>();
  /** The last write of all keys. */
  #everything: Promise<void> | undefined;

  constructor(connectionName: string) {
    this.#connectionName = connectionName;
  }

  /** Runs `work` after the writes of these keys that were asked for before. Rejects with its error, or with `DBM_ABORTED` while it waits. */
  run<T>(keys: readonly Uint8Array[], signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const ids = keys.map(keyId);
    const before = ids.flatMap((id) => this.#last.get(id) ?? this.#everything ?? []);
    const { promise: done, resolve } = Promise.withResolvers<void>();
    for (const id of ids) this.#last.set(id, done);
    const finish = () => {
      for (const id of ids) if (this.#last.get(id) === done) this.#last.delete(id);
      resolve();
    };
    return this.#inTurn({ before, signal, finish }, work);
  }

  /** Runs `work` after every write that was asked for before; those asked for from now on wait for it. */
  runAlone<T>(work: () => Promise<T>): Promise<T> {
    const before = [...this.#last.values(), ...(this.#everything === undefined ? [] : [this.#everything])];
    const { promise: done, resolve } = Promise.withResolvers<void>();
    this.#everything = done;
    // All of them are waited for by this one, which whoever comes next waits for.
    this.#last.clear();
    const finish = () => {
      if (this.#everything === done) this.#everything = undefined;
      resolve();
    };
    return this.#inTurn({ before, signal: undefined, finish }, work);
  }

  /** Whoever gives up waiting leaves the turns of others as they were. */
  async #inTurn<T>({ before, signal, finish }: Turn, work: () => Promise<T>): Promise<T> {
    const turn = Promise.all(before);
    try {
      await raceSignal(turn, signal).catch(() => {
        // Turns never reject.
        throw abortedError(signal as AbortSignal, this.#connectionName);
      });
      return await work();
    } finally {
      void turn.then(finish);
    }
  }
}

interface Turn {
  readonly before: readonly Promise<void>[];
  readonly signal: AbortSignal | undefined;
  /** Lets the next ones begin. */
  readonly finish: () => void;
}
