import type { PgClient } from './pg-driver.js';

/** Hears of what befalls a client. */
export interface ClientWatcher {
  /** It has failed; queries under way are told by themselves. */
  onError(error: Error): void;
  /** It has ended; nothing is told after that. */
  onEnd(): void;
}

/** Passes on what befalls one client, while anybody wants to hear of it. */
class ClientWatch {
  readonly #client: PgClient;
  readonly #watchers = new Set<ClientWatcher>();

  constructor(client: PgClient) {
    this.#client = client;
  }

  add(watcher: ClientWatcher): void {
    if (this.#watchers.size === 0) this.#client.on('error', this.#onError).on('end', this.#onEnd);
    this.#watchers.add(watcher);
  }

  delete(watcher: ClientWatcher): void {
    if (!this.#watchers.delete(watcher) || this.#watchers.size > 0) return;
    this.#client.removeListener('error', this.#onError).removeListener('end', this.#onEnd);
  }

  readonly #onError = (error: Error): void => {
    for (const watcher of [...this.#watchers]) watcher.onError(error);
  };

  readonly #onEnd = (): void => {
    for (const watcher of [...this.#watchers]) {
      this.delete(watcher);
      watcher.onEnd();
    }
  };
}

const watches = new WeakMap<PgClient, ClientWatch>();

/**
 * Tells of a client from now on; what it returns ends that. However many watch, the client has one listener for each event:
 * every handle on the pool watches every client, and Node takes more than ten listeners for a leak.
 */
export function watchClient(client: PgClient, watcher: ClientWatcher): () => void {
  const watch = watches.get(client) ?? new ClientWatch(client);
  watches.set(client, watch);
  watch.add(watcher);
  return () => watch.delete(watcher);
}
