import { isMariadb, type MysqlConnection } from './mysql-driver.js';

/** A limit of the server for the statements of one connection. */
interface ServerLimit {
  /** The assignment of SET; 0 is no limit. */
  assignment(timeoutMs: number): string;
  readonly timeoutMs: number;
}

const limits = new WeakMap<MysqlConnection, ServerLimit>();

/** The assignment of SET that limits every statement of the session on MariaDB, and every SELECT on MySQL. */
export function limitAssignment(connection: MysqlConnection, timeoutMs: number): string {
  return isMariadb(connection)
    ? `max_statement_time = ${timeoutMs / 1000}`
    : `max_execution_time = ${Math.ceil(timeoutMs)}`;
}

/** Notes that the server has taken the limit. */
export function rememberLimit(connection: MysqlConnection, timeoutMs: number): void {
  limits.set(connection, { timeoutMs, assignment: (ms) => limitAssignment(connection, ms) });
}

/** The limit that the server has for a connection; undefined when it has none. */
export function limitOf(connection: MysqlConnection): ServerLimit | undefined {
  return limits.get(connection);
}
