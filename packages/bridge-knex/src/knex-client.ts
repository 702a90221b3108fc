import type { Transform } from 'node:stream';
import { loadPeer } from '@dbmanager/core';

/** A statement on its way through Knex's client; the dialect adds what came of it. */
export interface KnexQuery {
  readonly sql: string;
  readonly bindings?: readonly unknown[];
  readonly method?: string;
  readonly returning?: unknown;
  /** What the builder's `.options()` were given, joined. */
  options?: object;
  /** Set by `.timeout()`. */
  readonly timeout?: number | false;
  response?: unknown;
  context?: { readonly lastID: unknown; readonly changes: unknown };
}

/** The marks Knex writes on a connection. */
export interface KnexConnection {
  __knexUid?: string;
  /** Why the connection must not be used again. */
  __knex__disposed?: unknown;
}

/** The callback of `knex.transaction()`: it gets Knex's `Transaction`. */
export type KnexContainer = (transaction: unknown) => unknown;

/** The members of Knex 3's dialect clients that the bridge overrides or calls. */
export interface KnexClient {
  pool: unknown;
  readonly config: object;
  initializePool(): void;
  acquireConnection(): Promise<object>;
  releaseConnection(connection: object): Promise<void>;
  destroy(callback?: (error?: unknown) => void): Promise<void>;
  database(): string | undefined;
  transaction(container: KnexContainer, config?: object, outer?: object | null): object;
  query(connection: object, query: KnexQuery | string): Promise<KnexQuery>;
  cancelQuery(connection: object): Promise<void>;
  /** A value as Knex shows it in the text of a statement. */
  _escapeBinding(value: unknown, context: object): string;
  _query(connection: object, query: KnexQuery): Promise<KnexQuery>;
  _stream(connection: object, query: KnexQuery, stream: Transform, options: object | undefined): Promise<unknown>;
}

/** A dialect of Knex. */
export type KnexClientClass = new (config: object) => KnexClient;

/** Loads a dialect of the installed Knex, e.g. `postgres`. */
export function loadDialect(dialect: string, connectionName: string): KnexClientClass {
  return loadPeer(`knex/lib/dialects/${dialect}`, import.meta.url, { by: 'the Knex bridge', connectionName });
}
