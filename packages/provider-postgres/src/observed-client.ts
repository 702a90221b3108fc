import { isUnobserved, type StatementObservation, type StatementObserver } from '@dbmanager/core';
import { sqlState } from './errors.js';
import type { PgClient } from './pg-driver.js';

type Callback = (error: unknown, result?: unknown) => void;

/** What may be given to `client.query`, as far as it is looked at here. */
interface QueryInput {
  readonly name?: unknown;
  readonly text?: unknown;
  readonly values?: unknown;
  readonly callback?: unknown;
  readonly submit?: unknown;
  /** Of pg-query-stream. */
  readonly cursor?: { readonly text?: unknown; readonly values?: unknown };
}

/** A query that drives the connection itself; pg calls these as the server answers. */
interface Submittable extends QueryInput {
  handleDataRow(message: unknown): void;
  handleError(error: unknown, connection?: unknown): void;
  handleReadyForQuery(connection: unknown): void;
}

/** A result as pg gives it. */
interface PgResult {
  readonly rows: readonly unknown[];
  readonly fields: readonly unknown[];
}

/** pg's `client.query`, whose many overloads are all of this form. */
type Query = (query: unknown, values?: unknown, callback?: unknown) => unknown;

/** Tells of every query that is given to a client from now on, in whatever form pg takes; what it returns ends that. */
export function observeClient(client: PgClient, observer: StatementObserver): () => void {
  const own = Object.getOwnPropertyDescriptor(client, 'query');
  const send = client.query.bind(client) as Query;

  const query: Query = (input, values, callback) => {
    // What pg refuses by throwing is none; nor is our own upkeep.
    if (isUnobserved() || input === null || input === undefined) return send(input, values, callback);
    if (isSubmittable(input)) {
      observeSubmittable(input, observer, client);
      return send(input, values, callback);
    }
    const observation = observer.begin(
      textOf(input, client),
      hasValues(values ?? (input as QueryInput).values),
      client,
    );
    const params = typeof values === 'function' ? undefined : values;
    const sent = commented(input, observation);
    const done = [callback, values, (input as QueryInput).callback].find((each) => typeof each === 'function');
    if (done !== undefined) return send(sent, params, telling(observation, done as Callback));
    return promised(client, (settle) => send(sent, params, telling(observation, settle)));
  };
  // Not listed with pg's own properties.
  Object.defineProperty(client, 'query', { value: query, configurable: true, writable: true });
  return () => {
    if (own === undefined) Reflect.deleteProperty(client, 'query');
    else Object.defineProperty(client, 'query', own);
  };
}

/**
 * The same with a comment where one is wanted. Not where a name stands for the text: on one connection that must not change. Nor
 * in an object of a class of its own, of which no copy could be made that is sure to be read alike.
 */
function commented(input: unknown, observation: StatementObservation): unknown {
  if (typeof input === 'string') return observation.commented?.('traced') ?? input;
  if ((input as QueryInput).name || !isPlain(input)) return input;
  const text = observation.commented?.('traced');
  return text === undefined ? input : { ...(input as QueryInput), text };
}

function telling(observation: StatementObservation, callback: Callback): Callback {
  return (error, result) => {
    if (error) observation.fail(error, statusOf(error));
    else observation.end(rowsOf(result));
    callback(error, result);
  };
}

/** The promise that pg gives where it is given no callback: its stack leads to the caller rather than to the socket. */
function promised(client: PgClient, start: (settle: Callback) => void): Promise<unknown> {
  const { _Promise: Class = Promise } = client as { readonly _Promise?: PromiseConstructor };
  return new Class((resolve, reject) => {
    start((error, result) => (error ? reject(error) : resolve(result)));
  }).catch((error: Error) => {
    Error.captureStackTrace(error);
    throw error;
  });
}

function observeSubmittable(query: Submittable, observer: StatementObserver, client: PgClient): void {
  const { values = query.cursor?.values } = query;
  const observation = observer.begin(String(query.text ?? query.cursor?.text ?? ''), hasValues(values), client);
  const text = query.name ? undefined : observation.commented?.('traced');
  if (text !== undefined) Reflect.set(query.text === undefined && query.cursor ? query.cursor : query, 'text', text);
  const { handleDataRow, handleError, handleReadyForQuery } = query;
  let rows = 0;
  query.handleDataRow = (message) => {
    rows++;
    handleDataRow.call(query, message);
  };
  query.handleError = (error, connection) => {
    observation.fail(error, statusOf(error));
    handleError.call(query, error, connection);
  };
  query.handleReadyForQuery = (connection) => {
    observation.end(rows);
    handleReadyForQuery.call(query, connection);
  };
}

function statusOf(error: unknown): string | undefined {
  const state = sqlState(error);
  return state === '' ? undefined : state;
}

function isSubmittable(query: unknown): query is Submittable {
  return typeof (query as QueryInput).submit === 'function';
}

function isPlain(value: unknown): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Of one that is only named, the text that was prepared under that name on the connection: pg keeps it there. */
function textOf(query: unknown, client: PgClient): string {
  if (typeof query === 'string') return query;
  const { text, name } = query as QueryInput;
  if (typeof text === 'string') return text;
  const { parsedStatements } =
    (client as { readonly connection?: { readonly parsedStatements?: object } }).connection ?? {};
  const prepared: unknown = typeof name === 'string' && parsedStatements && Reflect.get(parsedStatements, name);
  return typeof prepared === 'string' ? prepared : '';
}

function hasValues(values: unknown): boolean {
  return Array.isArray(values) && values.length > 0;
}

/** Of several results in one answer, the last. */
function rowsOf(result: unknown): number | undefined {
  const last = (Array.isArray(result) ? result.at(-1) : result) as PgResult | undefined;
  return last === undefined || last.fields.length === 0 ? undefined : last.rows.length;
}
