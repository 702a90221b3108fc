import { DbManagerError } from '@dbmanager/core';
import type { MongoClient } from './mongodb-driver.js';

/**
 * A handle on a client that others use too: its `close()` only detaches it, and `connect()` attaches it again. What was
 * taken from it before, such as collections, works on. `refusal` says why nothing may be begun any more.
 */
export function clientHandle(
  client: MongoClient,
  connectionName: string,
  refusal: () => Error | undefined,
): MongoClient {
  let detached = false;
  const detach = async () => {
    detached = true;
  };
  const connect = async () => {
    const reason = refusal();
    if (reason !== undefined) throw reason;
    await client.connect();
    detached = false;
    return handle;
  };
  /** Where work begins. */
  const begins = new Set<PropertyKey>(['db', 'startSession', 'withSession', 'bulkWrite', 'watch']);

  const admit = () => {
    const reason = refusal();
    if (reason !== undefined) throw reason;
    if (detached) throw new DbManagerError('DBM_CLOSED', 'this MongoClient has been closed', { connectionName });
  };

  const handle: MongoClient = new Proxy(client, {
    get(target, property) {
      if (property === 'close' || property === Symbol.asyncDispose) return detach;
      if (property === 'connect') return connect;
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== 'function' || property === 'constructor') return value;
      return (...args: unknown[]) => {
        if (begins.has(property)) admit();
        const result: unknown = Reflect.apply(value, target, args);
        return result === target ? handle : result;
      };
    },
  });
  return handle;
}
