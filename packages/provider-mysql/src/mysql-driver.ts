import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { DbManagerError, loadPeer } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { Connection, Pool, PoolConnection } from 'mysql2';

/** A packet of the protocol, as mysql2 hands it to a command; `offset` is where its payload begins. */
export interface MysqlPacket {
  readonly buffer: Buffer;
  readonly offset: number;
  length(): number;
}

/** What mysql2 runs on a connection: a query, a ping, the handshake. */
export interface MysqlCommand extends EventEmitter {
  /** The handler of the next packet; its name says what is expected. */
  readonly next: MysqlHandler | null;
  /** Of a query or an execution. */
  readonly sql?: string;
  /** Sends it; gives the handler of the first packet, or null when there is nothing to wait for. */
  start: () => MysqlHandler | null;
  onResult?: ((error: unknown, ...results: unknown[]) => void) | undefined;
  /** Of an execution, once it is prepared. */
  readonly statement?: PreparedOnServer | undefined;
}

/** A statement that the server has prepared. */
interface PreparedOnServer {
  readonly parameters: readonly unknown[];
}

/** A column of a result. */
export interface MysqlField {
  readonly name: string;
  readonly columnType: number;
}

/** Takes a packet; gives the handler of the next, or null when the command has ended. */
export type MysqlHandler = (packet?: MysqlPacket) => MysqlHandler | null;

/** What the pool holds: a `mysql2` connection, with the members that its types leave out. */
export type MysqlConnection = Connection & {
  stream: Socket;
  readonly threadId: number | null;
  /** `authenticated` while it is of use. */
  readonly state: string;
  /** What runs. */
  _command: MysqlCommand | null | undefined;
  /** What waits behind it. */
  readonly _commands: { readonly length: number; unshift(command: MysqlCommand): void };
  readonly _paused: boolean;
  /** What is prepared on it, by text and way of asking. */
  readonly _statements: { get(key: string): PreparedOnServer | undefined };
  readonly _handshakePacket: { readonly serverVersion: string } | null;
  /** Hands a packet to what runs; without one that is started, or goes on. */
  handlePacket(packet?: MysqlPacket): void;
  startTLS(onSecure: (error?: Error) => void): void;
};

/** A `mysql2` pool, of the API with callbacks; `promise()` gives the other. */
export type MysqlPool = Pool;

/** A connection as that pool lends it. */
export type MysqlPoolConnection = PoolConnection;

/** What this package uses of the module `mysql2`. */
export interface MysqlDriver {
  createConnection(config: object): MysqlConnection;
  createPool(config: object): MysqlPool;
  /** A query that has not been sent. */
  createQuery(
    sql: unknown,
    values: unknown,
    callback: MysqlCommand['onResult'],
    config: object,
  ): MysqlCommand & { stream(options?: object): Readable };
  readonly Connection: { new (setup: { config: object }): MysqlConnection; readonly prototype: object };
  readonly Pool: new (setup: { config: unknown }) => MysqlPool;
  readonly PoolConnection: { readonly prototype: object };
  readonly Charsets: Readonly<Record<string, number>>;
  /** Names of the types of the protocol. */
  readonly Types: Readonly<Record<number, string>>;
  /** Parameters whose type on the wire is said. */
  readonly TypedParameter: {
    readonly LONGLONG: { (value: number | bigint): unknown; unsigned(value: number | bigint): unknown };
  };
}

/** Loads `mysql2`. Throws `DBM_PACKAGE_NOT_INSTALLED`, or `DBM_UNSUPPORTED` for a version that is too old. */
export function loadMysql2(connectionName: string): MysqlDriver {
  const driver = loadPeer<MysqlDriver>('mysql2', import.meta.url, { by: 'types mysql and mariadb', connectionName });
  const prototype = driver.Connection.prototype as Partial<MysqlConnection>;
  if (typeof prototype.handlePacket !== 'function' || !('state' in prototype) || driver.TypedParameter === undefined) {
    throw new DbManagerError(
      'DBM_UNSUPPORTED',
      'types mysql and mariadb need mysql2 3.24 or newer; update it: npm install mysql2',
      { connectionName },
    );
  }
  return driver;
}

/** Ends the connection at once; every command on it then rejects. */
export function destroySocket(connection: MysqlConnection): void {
  connection.stream.destroy();
}

/** True when the connection is of no use any more. */
export function isGone(connection: MysqlConnection): boolean {
  return connection.stream.destroyed || ['error', 'disconnected'].includes(connection.state);
}

/** What mysql2 says to a command with a callback when its connection has died; to one without it says nothing. */
export function closedError(): Error {
  return Object.assign(new Error('Connection lost: The server closed the connection.'), {
    code: 'PROTOCOL_CONNECTION_LOST',
  });
}

/** True when nothing is under way: the next command would be sent at once. */
export function isReady(connection: MysqlConnection): boolean {
  return !connection._command && connection._commands.length === 0;
}

/** Resolves when the server has answered a ping, and all that was sent before it; rejects when the connection dies. */
export function ping(connection: MysqlConnection): Promise<void> {
  return new Promise((resolve, reject) => {
    connection.ping((error) => (error ? reject(error) : resolve()));
  });
}

/** What one statement gave: mysql2's rows, or its summary of a statement that gives none, and the columns. */
export interface MysqlAnswer {
  readonly result: unknown;
  readonly fields: unknown;
}

/** Runs one statement as text; rejects with the driver's error. */
export function runText(connection: MysqlConnection, options: { sql: string; [key: string]: unknown }) {
  return new Promise<MysqlAnswer>((resolve, reject) => {
    connection.query(options, (error: Error | null, result: unknown, fields: unknown) =>
      error ? reject(error) : resolve({ result, fields }),
    );
  });
}

/** A statement to be prepared, and its values. */
export interface Execution {
  readonly sql: string;
  readonly values: unknown[];
  readonly rowsAsArray?: boolean;
}

/** Runs one prepared statement; rejects with the driver's error, or a {@link ParameterCountError}. */
export function runPrepared(connection: MysqlConnection, execution: Execution) {
  return new Promise<MysqlAnswer>((resolve, reject) => {
    sendPrepared(connection, execution, (error: unknown, result: unknown, fields: unknown) =>
      error ? reject(error) : resolve({ result, fields }),
    );
  });
}

/**
 * Sends a prepared statement, with a callback or for its events. mysql2 sends the values that it was given, and a server that
 * awaits fewer takes what describes them for their values: so they are counted here. Throws a {@link ParameterCountError}, or
 * gives it as the command's error where the statement has to be prepared first.
 */
export function sendPrepared(connection: MysqlConnection, execution: Execution, done?: MysqlCommand['onResult']) {
  const given = execution.values.length;
  const known = preparedOn(connection, execution);
  if (known !== undefined) assertCount(known, given);
  const command = connection.execute(execution as object as { sql: string }, done as never) as unknown as MysqlCommand;
  if (known === undefined) countBeforeStart(command, given);
  return command;
}

/** What the connection has prepared for it. */
function preparedOn(connection: MysqlConnection, execution: Execution): PreparedOnServer | undefined {
  const { statementKey } = connection.constructor as unknown as { statementKey(execution: Execution): string };
  return connection._statements.get(statementKey(execution));
}

function countBeforeStart(command: MysqlCommand, given: number): void {
  const start = command.start as (...args: unknown[]) => MysqlHandler | null;
  command.start = (...args: unknown[]) => {
    try {
      if (command.statement !== undefined) assertCount(command.statement, given);
    } catch (error) {
      if (command.onResult === undefined) command.emit('error', error);
      else command.onResult(error);
      return null;
    }
    return Reflect.apply(start, command, args);
  };
}

function assertCount({ parameters }: PreparedOnServer, given: number): void {
  if (parameters.length !== given) throw new ParameterCountError(parameters.length, given);
}

/** A statement was given another number of values than it has parameters. It was not sent. */
export class ParameterCountError extends RangeError {
  constructor(parameters: number, given: number) {
    super(`it has ${parameters} parameters and was given ${given}`);
  }
}

/** True for MariaDB, false for MySQL and what speaks like it. */
export function isMariadb(connection: MysqlConnection): boolean {
  return /mariadb/i.test(connection._handshakePacket?.serverVersion ?? '');
}
