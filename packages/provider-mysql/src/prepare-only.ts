import { errnoOf, statementError } from './errors.js';
import type { MysqlConnection } from './mysql-driver.js';

/** ER_UNSUPPORTED_PS: the server prepares no statement of this kind. */
const NOT_PREPARABLE = 1295;

/**
 * Has the server prepare a statement, and forget it again: its syntax and the names in it. False for one that it runs but does not
 * prepare.
 */
export async function prepareOnly(connection: MysqlConnection, sql: string, connectionName: string): Promise<boolean> {
  // mysql2 would not ask again for one that it has prepared, however the tables have changed.
  connection.unprepare(sql);
  try {
    await new Promise<void>((resolve, reject) => {
      connection.prepare(sql, (error) => (error === null ? resolve() : reject(error)));
    });
    connection.unprepare(sql);
    return true;
  } catch (error) {
    if (errnoOf(error) === NOT_PREPARABLE) return false;
    throw statementError(error, connectionName);
  }
}
