import { DbManagerError } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { Options } from '@mikro-orm/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { AbstractSqlDriver } from '@mikro-orm/sql';

const IN_CONFIGURATION = 'the configuration of the connection has it';
const NO_CONNECTION_OF_ITS_OWN = 'connections are shared with others, and made by the pool';

/** What MikroORM must not decide on a shared pool, and why. */
const REFUSED = {
  driver: 'the type of the connection decides it',
  driverOptions: 'the pool is shared',
  clientUrl: IN_CONFIGURATION,
  host: IN_CONFIGURATION,
  port: IN_CONFIGURATION,
  user: IN_CONFIGURATION,
  password: IN_CONFIGURATION,
  dbName: IN_CONFIGURATION,
  pool: 'the pool is shared; set `max_open_conns` and its kin on the connection',
  replicas: 'a replica is a connection of the configuration, with a name of its own',
  multipleStatements: 'a text of several statements is for the configuration of the connection to allow',
  ensureDatabase: 'the database is there, as the pool is connected to it',
  attachDatabases: NO_CONNECTION_OF_ITS_OWN,
  onCreateConnection: NO_CONNECTION_OF_ITS_OWN,
  onReserveConnection: NO_CONNECTION_OF_ITS_OWN,
} as const;

/**
 * MikroORM's own options, less those that would open connections or change shared ones (`driver`, `driverOptions`,
 * `clientUrl`, `host`, `port`, `user`, `password`, `dbName`, `pool`, `replicas`, `multipleStatements`, `ensureDatabase`,
 * `attachDatabases`, `onCreateConnection`, `onReserveConnection`, and `sessionContext: 'connection'`).
 */
export type MikroOrmBridgeOptions = Omit<Partial<Options<AbstractSqlDriver>>, keyof typeof REFUSED | 'name'> & {
  /** Another MikroORM, with entities of its own, for each; for `Connection.mikroorm`. */
  readonly name?: string;
};

/** Throws `DBM_INVALID_OPTION` for an option of MikroORM that a shared pool cannot honour. */
export function checkMikroOrmOptions(options: object, connectionName: string): void {
  for (const [option, reason] of Object.entries(REFUSED)) {
    if (Reflect.get(options, option) !== undefined) throw refused(option, reason, connectionName);
  }
  if (Reflect.get(options, 'sessionContext') === 'connection') {
    throw refused('sessionContext', `'connection' would stay on shared connections; use 'transaction'`, connectionName);
  }
}

function refused(option: string, reason: string, connectionName: string): DbManagerError {
  const message = `MikroORM's option "${option}" cannot be used here: ${reason}`;
  return new DbManagerError('DBM_INVALID_OPTION', message, { connectionName, option });
}
