import { DbManagerError } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { Knex } from 'knex';

/** What Knex must not decide on a shared pool, and where it is decided instead. */
const REFUSED = {
  client: 'the type of the connection decides it',
  dialect: 'the type of the connection decides it',
  connection: 'the configuration of the connection has it',
  connectionPool: 'the pool is shared',
  pool: 'the pool is shared; set `max_open_conns` and its kin on the connection',
  acquireConnectionTimeout: 'set `acquire_timeout` on the connection',
  searchPath: 'it would stay on shared connections; set `schema` on the connection',
} as const;

/**
 * Knex's own options, less those that would open connections or change shared ones (`client`, `dialect`, `connection`,
 * `connectionPool`, `pool`, `acquireConnectionTimeout`, `searchPath`). On SQLite `useNullAsDefault` is true unless said.
 */
export type KnexBridgeOptions = Omit<Knex.Config, keyof typeof REFUSED> & {
  /** Another handle for each; for `Connection.knex`. */
  readonly name?: string;
  /** PostgreSQL only: type parsers of this handle's results, as pg's `types`; sent with each statement. */
  readonly types?: { getTypeParser(oid: number, format?: string): (value: string) => unknown };
};

/** Throws `DBM_INVALID_OPTION` for an option of Knex that a shared pool cannot honour. */
export function checkKnexOptions(options: object, connectionName: string): void {
  for (const [option, reason] of Object.entries(REFUSED)) {
    if (Reflect.get(options, option) === undefined) continue;
    const message = `Knex's option "${option}" cannot be used here: ${reason}`;
    throw new DbManagerError('DBM_INVALID_OPTION', message, { connectionName, option });
  }
}
