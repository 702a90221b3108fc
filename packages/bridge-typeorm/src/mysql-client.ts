import type { Socket } from 'node:net';
import { overlay } from './overlay.js';

/** What is needed of a connection that mysql2's pool has lent. */
export interface MysqlClient {
  readonly stream: Socket;
  query(query: unknown, ...rest: unknown[]): unknown;
  /** The same connection with promises. */
  promise(): object;
  release(): void;
  destroy(): void;
}

/** How results are read, as mysql2 takes it for one statement. */
export interface ResultOptions {
  /** 64-bit integers as text, exact or not. */
  readonly bigNumberStrings: boolean;
  /** Which dates come as text. */
  readonly dateStrings: boolean | readonly string[];
}

/**
 * mysql2's connection as TypeORM is given it: itself, except that its queries are read as `results` says, which cannot
 * stand on a shared connection.
 */
export function clientForTypeorm(client: MysqlClient, results: ResultOptions): MysqlClient {
  let promised: object | undefined;
  const own: MysqlClient = overlay(client, {
    query: (query, ...rest) => client.query(readAs(results, query), ...rest),
    promise() {
      promised ??= Reflect.apply(client.promise, own, []);
      return promised;
    },
  });
  return own;
}

/** A query object of mysql2, which is sent as it is, says by itself how it is read. */
function readAs(results: ResultOptions, query: unknown): unknown {
  if (typeof query === 'string') return { ...results, sql: query };
  const isSettings = typeof query === 'object' && query !== null && !('onResult' in query);
  return isSettings ? { ...results, ...query } : query;
}
