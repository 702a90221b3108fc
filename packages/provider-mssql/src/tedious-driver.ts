import { loadPeer } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { BulkLoad, Connection, ConnectionConfiguration, Request, RequestError, TYPES } from 'tedious';

/** A connection of tedious itself. */
export type TediousConnection = Connection;

/** A request of tedious. */
export type TediousRequest = Request;

/** A bulk load of tedious. */
export type TediousBulkLoad = BulkLoad;

/** What tedious connects by. */
export type TediousConfig = ConnectionConfiguration;

/** The types of parameters. */
export type TediousTypes = typeof TYPES;

/** A message of the server, an error or a notice, as tedious tells of it. */
export interface ServerMessage {
  readonly number: number;
  readonly message: string;
  readonly class: number;
}

/** What this package uses of the module `tedious`. */
export interface TediousDriver {
  readonly Connection: { new (config: TediousConfig): TediousConnection; readonly prototype: TediousConnection };
  readonly Request: new (
    sql: string | undefined,
    callback: (error: Error | null | undefined, rowCount?: number) => void,
  ) => TediousRequest;
  readonly RequestError: new (message: string, code: string) => RequestError;
  readonly TYPES: TediousTypes;
  readonly ISOLATION_LEVEL: Readonly<
    Record<'READ_UNCOMMITTED' | 'READ_COMMITTED' | 'REPEATABLE_READ' | 'SERIALIZABLE' | 'SNAPSHOT', number>
  >;
}

/** Loads `tedious`. Throws `DBM_PACKAGE_NOT_INSTALLED`, or `DBM_PACKAGE_VERSION`. */
export function loadTedious(connectionName: string): TediousDriver {
  return loadPeer<TediousDriver>('tedious', import.meta.url, { by: 'type mssql', connectionName });
}

/** True when the connection is of no use any more. */
export function isGone(connection: TediousConnection): boolean {
  return connection.closed || connection.state === connection.STATE.FINAL;
}
