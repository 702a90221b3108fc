import { giveNativeClient, type MikroOrmEngine } from './mikro-orm-engine.js';
import type { SqlMikroOrm } from './mikro-orm-module.js';

/** SQL Server, by tedious. */
export const mssqlEngine: MikroOrmEngine = {
  packageName: '@mikro-orm/mssql',

  adapt(orm, { module }, target) {
    giveNativeClient(orm, target);
    endNested(orm, module.AbstractSqlConnection.prototype.commit);
  },
};

/** MikroORM does not tell when a nested transaction is kept, as SQL Server has nothing to do then. Here it makes way for others. */
function endNested(orm: SqlMikroOrm, commit: (...args: never[]) => Promise<void>): void {
  const connection = orm.driver.getConnection();
  Object.assign(connection, { commit: (...args: never[]) => Reflect.apply(commit, connection, args) });
}
