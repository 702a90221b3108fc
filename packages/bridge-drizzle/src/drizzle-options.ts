import { DbManagerError } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { DrizzleConfig } from 'drizzle-orm';
import type { DrizzleSchema } from './drizzle-handles.js';

/** What Drizzle must not decide on a shared pool, and where it is decided instead. */
const REFUSED = {
  client: 'the pool is shared',
  connection: 'the configuration of the connection has it',
} as const;

/** Drizzle's own options (`schema`, `casing`, `logger`, `cache`), less `client` and `connection`. */
export type DrizzleBridgeOptions<S extends DrizzleSchema = DrizzleSchema> = DrizzleConfig<S> & {
  /** What the handle goes by, where a connection has several. */
  readonly name?: string;
  /**
   * MySQL and MariaDB only: how relational queries are written. Default: Drizzle's `default`; on MariaDB `planetscale`, without
   * LATERAL.
   */
  readonly mode?: 'default' | 'planetscale';
};

/** Throws `DBM_INVALID_OPTION` for an option of Drizzle that a shared pool cannot honour. */
export function checkDrizzleOptions(options: object, connectionName: string): void {
  for (const [option, reason] of Object.entries(REFUSED)) {
    if (Reflect.get(options, option) === undefined) continue;
    const message = `Drizzle's option "${option}" cannot be used here: ${reason}`;
    throw new DbManagerError('DBM_INVALID_OPTION', message, { connectionName, option });
  }
}
