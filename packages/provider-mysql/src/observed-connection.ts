import { isUnobserved, type StatementObservation, type StatementObserver } from '@dbmanager/core';
import { errnoOf } from './errors.js';
import { closedError, type MysqlCommand, type MysqlConnection } from './mysql-driver.js';

type Callback = (error: unknown, ...results: unknown[]) => void;
type Send = (...args: unknown[]) => MysqlCommand;

/** What may be given to `query` and `execute`, as far as it is looked at here. */
interface QueryInput {
  readonly sql?: unknown;
  readonly values?: unknown;
  /** Of a command that mysql2 has made already. */
  readonly start?: unknown;
  onResult?: Callback | undefined;
}

/** A statement that the caller has had prepared, as far as it is looked at here. */
interface PreparedByHand {
  readonly query: string;
  execute: Send;
}

const METHODS = ['query', 'execute'] as const;

/**
 * Tells of every query and execution that is given to a connection from now on, and to a statement that it has prepared; what it
 * returns ends that.
 */
export function observeConnection(connection: MysqlConnection, observer: StatementObserver): () => void {
  const replace = (name: string, value: Send) =>
    Object.defineProperty(connection, name, { value, configurable: true, writable: true });
  for (const method of METHODS) {
    const send = connection[method].bind(connection) as unknown as Send;
    replace(method, (...args) =>
      isUnobserved() ? send(...args) : observed({ connection, method, send }, args, observer),
    );
  }
  const prepare = connection.prepare.bind(connection) as unknown as Send;
  replace('prepare', (query, callback) =>
    prepare(query, (error: unknown, statement: PreparedByHand | undefined) => {
      if (statement !== undefined) observeExecutions(statement, connection, observer);
      (callback as Callback | undefined)?.(error, statement);
    }),
  );
  return () => {
    for (const name of [...METHODS, 'prepare']) Reflect.deleteProperty(connection, name);
  };
}

/** Its text is given as that of an execution is, and left out again where it is sent. */
function observeExecutions(statement: PreparedByHand, connection: MysqlConnection, observer: StatementObserver): void {
  const execute = statement.execute.bind(statement);
  const send: Send = (_text, ...args) => execute(...args);
  statement.execute = (...args) =>
    observed({ connection, method: 'execute', send }, [statement.query, ...args], observer);
}

interface Door {
  readonly connection: MysqlConnection;
  readonly method: (typeof METHODS)[number];
  readonly send: Send;
}

function observed({ connection, method, send }: Door, given: unknown[], observer: StatementObserver): MysqlCommand {
  const [input, values] = given;
  const query = input as QueryInput;
  const text = typeof input === 'string' ? input : query.sql;
  const params = typeof input === 'string' || query.values === undefined ? values : query.values;
  const observation = observer.begin(typeof text === 'string' ? text : '', hasValues(params), connection);
  // Executions are kept prepared by their texts.
  const args = method === 'query' ? commented(given, observation) : given;
  const callbackAt = args.findIndex((each) => typeof each === 'function');
  if (callbackAt >= 0) return send(...args.with(callbackAt, telling(observation, args[callbackAt] as Callback)));
  if (typeof input === 'object' && query.onResult !== undefined) {
    query.onResult = telling(observation, query.onResult);
    return send(...args);
  }
  return followed(send(...args), observation, connection);
}

/** The same with a comment where one is wanted. */
function commented(args: unknown[], observation: StatementObservation): unknown[] {
  const sql = observation.commented?.('traced');
  if (sql === undefined) return args;
  const input = args[0] as string | QueryInput;
  if (typeof input === 'string') return args.with(0, sql);
  if (typeof input.start !== 'function') return args.with(0, { ...input, sql, values: input.values });
  Reflect.set(input, 'sql', sql);
  return args;
}

function telling(observation: StatementObservation, callback: Callback): Callback {
  return (error, ...results) => {
    if (error) observation.fail(error, statusOf(error));
    else observation.end(rowsOf(results));
    callback(error, ...results);
  };
}

/**
 * Follows a command without a callback, which tells by events. They are overheard, as a listener for its errors would keep
 * mysql2 from telling that there is none. Of a connection that dies such a command hears nothing.
 */
function followed(command: MysqlCommand, observation: StatementObservation, connection: MysqlConnection): MysqlCommand {
  const { emit } = command;
  const { stream } = connection;
  let rows: number | undefined;
  const died = () => observation.fail(closedError());
  command.emit = (event, ...args: unknown[]) => {
    if (event === 'fields' && args[0] !== undefined) rows ??= 0;
    else if (event === 'result' && rows !== undefined) rows++;
    else if (event === 'error') observation.fail(args[0], statusOf(args[0]));
    else if (event === 'end') {
      observation.end(rows);
      stream.removeListener('close', died);
    }
    return emit.call(command, event, ...args);
  };
  stream.once('close', died);
  return command;
}

/** The server's number. */
function statusOf(error: unknown): string | undefined {
  const errno = errnoOf(error);
  return errno === 0 ? undefined : String(errno);
}

/** By position, or by name. */
function hasValues(values: unknown): boolean {
  if (Array.isArray(values)) return values.length > 0;
  return typeof values === 'object' && values !== null;
}

/** Of a result with columns; of several in one answer, of the last that has some. */
function rowsOf([rows, fields]: readonly unknown[]): number | undefined {
  if (!Array.isArray(rows) || !Array.isArray(fields)) return undefined;
  const results = Array.isArray(fields[0]) ? rows : [rows];
  const last: unknown = results.findLast(Array.isArray);
  return Array.isArray(last) ? last.length : undefined;
}
