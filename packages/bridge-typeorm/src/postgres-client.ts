import { type BridgeTarget, confirmedCommit } from '@dbmanager/core';
import { overlay } from './overlay.js';
import type { TypeParsers } from './postgres-types.js';

/** What is needed of pg's client. */
export interface PgClient extends TypeParsers {
  query: (...args: unknown[]) => unknown;
}

/** What pg gives for a command. */
interface PgAnswer {
  readonly command?: string;
}

const COMMIT = /^\s*(?:commit|end)\b/i;

/**
 * Makes a client that was lent for one checkout TypeORM's: its queries are parsed with `types`, which cannot stand on a shared
 * connection, and a COMMIT tells when it did not commit.
 */
export function adaptClient(client: PgClient, types: TypeParsers | undefined, target: BridgeTarget): void {
  // Nobody else has this object, and it ends with the checkout: no need for one around it.
  client.query = queryOf(client, types, target);
}

/** The same for the client of a transaction, which others use as they know it: an object around it. */
export function clientInTransaction<C extends PgClient>(
  client: C,
  types: TypeParsers | undefined,
  target: BridgeTarget,
): C {
  return overlay(client, { query: queryOf(client, types, target) } as Partial<C>);
}

function queryOf(client: PgClient, types: TypeParsers | undefined, target: BridgeTarget): PgClient['query'] {
  const send = client.query.bind(client);
  const run = (text: string, values: unknown) => {
    const result = (types === undefined ? send(text, values) : send({ text, values, types })) as Promise<PgAnswer>;
    return COMMIT.test(text) ? confirmedCommit(result, target, ({ command }) => command) : result;
  };
  return (...args: unknown[]): unknown => {
    const [text, values, callback] = args;
    if (types !== undefined) parseWith(types, text);
    if (typeof text !== 'string' || typeof values === 'function') return send(...args);
    if (typeof callback !== 'function') return run(text, values);
    // As TypeORM's driver for CockroachDB asks.
    run(text, values).then(
      (result) => callback(undefined, result),
      (error: unknown) => callback(error),
    );
    return undefined;
  };
}

/** A cursor or stream brings its result, whose parsers pg sets where it has none. */
function parseWith(types: TypeParsers, query: unknown): void {
  const result = (query as { readonly _result?: { _types?: TypeParsers } } | undefined)?._result;
  if (result !== undefined) result._types ??= types;
}
