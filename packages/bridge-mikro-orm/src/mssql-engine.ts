import type { BridgeTarget } from '@dbmanager/core';
import { giveNativeClient, type MikroOrmEngine } from './mikro-orm-engine.js';
import type { SqlMikroOrm } from './mikro-orm-module.js';

/** SQL Server, by tedious. */
export const mssqlEngine: MikroOrmEngine = {
  packageName: '@mikro-orm/mssql',
  defaults: (target, options) => ({ ...zoneOf(target, options), ...schemaOf(target) }),

  adapt(orm, { module }, target) {
    giveNativeClient(orm, target);
    endNested(orm, module.AbstractSqlConnection.prototype.commit);
  },
};

/** What is needed of node-mssql's pool. */
interface MssqlPool {
  readonly config: { readonly options: { readonly useUTC?: boolean } };
}

/** Dates are written and read in the time zone of the connection, so that other ORMs see the same instants. */
function zoneOf(target: BridgeTarget, options: { readonly timezone?: unknown; readonly forceUtcTimezone?: unknown }) {
  if (options.timezone !== undefined || options.forceUtcTimezone !== undefined) return {};
  const pool = target.engine.native?.(target) as MssqlPool;
  return { forceUtcTimezone: pool.config.options.useUTC ?? true };
}

/** No connection can change the schema that names without one are in. */
function schemaOf({ config }: BridgeTarget) {
  const { schema } = config.options as { readonly schema?: string | undefined };
  return schema === undefined ? {} : { schema };
}

/** MikroORM does not tell when a nested transaction is kept, as SQL Server has nothing to do then. Here it makes way for others. */
function endNested(orm: SqlMikroOrm, commit: (...args: never[]) => Promise<void>): void {
  const connection = orm.driver.getConnection();
  Object.assign(connection, { commit: (...args: never[]) => Reflect.apply(commit, connection, args) });
}
