import { isDeepStrictEqual } from 'node:util';
import type { OpenedHandle } from './bridge.js';
import { DbManagerError } from './errors.js';

interface CachedHandle {
  readonly handle: unknown;
  /** The handle, once its promise has resolved where it is one. */
  ready: unknown;
  readonly options: object | undefined;
}

/** The handles bridges have built on one connection, so that repeated calls return the same one. */
export class HandleCache {
  readonly #connectionName: string;
  readonly #handles = new Map<string, CachedHandle>();

  constructor(connectionName: string) {
    this.#connectionName = connectionName;
  }

  /**
   * The handle of that kind and key, built now if need be. One that could not be built (thrown or, when it is a promise,
   * rejected) is not kept. Other options than it was built with throw `DBM_INVALID_OPTION`; leaving them out is fine.
   */
  get<H>(kind: string, key: string, options: object | undefined, build: () => H): H {
    const id = `${kind}\n${key}`;
    const cached = this.#handles.get(id);
    if (cached !== undefined) {
      this.#assertSameOptions(kind, key, options, cached);
      return cached.handle as H;
    }
    const handle = build();
    const entry: CachedHandle = { handle, ready: handle, options };
    this.#handles.set(id, entry);
    if (handle instanceof Promise) {
      entry.ready = undefined;
      handle.then(
        (ready: unknown) => {
          entry.ready = ready;
        },
        () => {
          if (this.#handles.get(id) === entry) this.#handles.delete(id);
        },
      );
    }
    return handle;
  }

  /** What was built of that kind and key, if anything. */
  opened(kind: string, key: string): OpenedHandle | undefined {
    const cached = this.#handles.get(`${kind}\n${key}`);
    return cached && { handle: cached.ready, options: cached.options };
  }

  clear(): void {
    this.#handles.clear();
  }

  #assertSameOptions(kind: string, key: string, options: object | undefined, cached: CachedHandle): void {
    if (options === undefined || isDeepStrictEqual(options, cached.options)) return;
    throw new DbManagerError(
      'DBM_INVALID_OPTION',
      `the ${kind} handle "${key}" exists with other options; ask for it without options, or under another name`,
      { connectionName: this.#connectionName },
    );
  }
}
