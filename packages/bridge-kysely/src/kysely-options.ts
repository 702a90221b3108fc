import { DbManagerError } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { KyselyConfig } from 'kysely';
import type { MysqlResults } from './mysql-statements.js';
import type { TypeParsers } from './postgres-statements.js';

/** Kysely's own options, less `dialect`, which the type of the connection decides. */
export type KyselyBridgeOptions = Omit<KyselyConfig, 'dialect'> & {
  /** Another handle for each; for `Connection.kysely`. */
  readonly name?: string;
  /** PostgreSQL only: type parsers of this handle's results, as pg's `types`; sent with each statement. */
  readonly types?: TypeParsers;
  /** MySQL and MariaDB only: how results of this handle are read, as mysql2's options of a query; sent with each statement. */
  readonly results?: MysqlResults;
};

/** Throws `DBM_INVALID_OPTION` for an option of Kysely that a shared pool cannot honour. */
export function checkKyselyOptions(options: object, connectionName: string): void {
  if (!('dialect' in options) || options.dialect === undefined) return;
  throw new DbManagerError(
    'DBM_INVALID_OPTION',
    'Kysely\'s option "dialect" cannot be used here: the type of the connection decides it',
    { connectionName, option: 'dialect' },
  );
}
