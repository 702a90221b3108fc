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
   * rejected) is not kept. Other options than it was built with throw `DBM_INVALID_OPTION`, and so does what is no object;
   * leaving them out is fine.
   *
   * @param inherited gives the options that it is built with where it is asked for without. Left out: none.
   */
  get<H>(
    kind: string,
    key: string,
    options: object | undefined,
    build: () => H,
    inherited?: () => object | undefined,
  ): H {
    if (options !== undefined) this.#assertOptions(kind, options);
    const id = `${kind}\n${key}`;
    const cached = this.#handles.get(id);
    if (cached !== undefined) {
      this.#assertSameOptions(kind, key, options, cached);
      return cached.handle as H;
    }
    const handle = build();
    const entry: CachedHandle = { handle, ready: handle, options: options ?? inherited?.() };
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

  /** Callers without types may give anything, a connection string for one. */
  #assertOptions(kind: string, options: unknown): void {
    if (typeof options === 'object' && options !== null && !Array.isArray(options)) return;
    throw new DbManagerError('DBM_INVALID_OPTION', `the options of a ${kind} handle are an object`, {
      connectionName: this.#connectionName,
      option: 'options',
    });
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
