import type { MysqlColumn, MysqlResults } from '@dbmanager/bridge-kysely';
import type { BridgeTarget } from '@dbmanager/core';
import { giveNativeClient, type MikroOrmEngine } from './mikro-orm-engine.js';

/** What is needed of mysql2's `Pool`. */
interface MysqlPool {
  readonly config: { readonly connectionConfig: { readonly timezone: string } };
}

/** As MikroORM sets it on a pool of its own: dates stay text, which it reads itself. */
const RESULTS: MysqlResults = { supportBigNumbers: true, dateStrings: true };

/** MySQL by mysql2. */
export const mysqlEngine: MikroOrmEngine = engine('@mikro-orm/mysql', RESULTS);

/** MariaDB, by mysql2 too. MikroORM reads JSON there itself, and would read it twice. */
export const mariadbEngine: MikroOrmEngine = engine('@mikro-orm/mariadb', { ...RESULTS, typeCast: jsonAsText });

function engine(packageName: string, results: MysqlResults): MikroOrmEngine {
  return {
    packageName,
    results: () => ({ results }),
    defaults: zoneOf,
    // `set names` goes before everything that they send.
    schemaToolsSpoil: true,
    adapt: (orm, _mikroOrm, target) => giveNativeClient(orm, target),
  };
}

/** Dates are written and read in the time zone of the connection, so that other ORMs see the same instants. */
function zoneOf(target: BridgeTarget, options: { readonly timezone?: unknown; readonly forceUtcTimezone?: unknown }) {
  if (options.timezone !== undefined || options.forceUtcTimezone !== undefined) return {};
  const pool = target.engine.native?.(target) as MysqlPool;
  return { timezone: pool.config.connectionConfig.timezone, forceUtcTimezone: false };
}

function jsonAsText(column: MysqlColumn, next: () => unknown): unknown {
  return column.extendedFormat === 'json' || column.type === 'JSON' ? column.string('utf8') : next();
}
