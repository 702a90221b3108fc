import { DbManagerError } from '@dbmanager/core';
import type { SqlMikroOrm } from './mikro-orm-module.js';
import type { OneConnection } from './one-connection.js';

type Method = (...args: unknown[]) => Promise<unknown>;

/** Members that send several statements, one after the other. */
const ON_ONE_CONNECTION = ['create', 'update', 'drop', 'refresh', 'clear', 'execute', 'up', 'down'];
/** Members that would leave the database of the connection. */
const LEAVING = ['createDatabase', 'dropDatabase'];

const EXTENSIONS = ['@mikro-orm/schema-generator', '@mikro-orm/migrator'];

/**
 * MikroORM's schema generator and migrator, which switch settings of "the" connection before and after their work, on one
 * connection for as long as that takes.
 */
export function adaptSchemaTools(orm: SqlMikroOrm, one: OneConnection, connectionName: string): void {
  const { config } = orm;
  const getExtension = config.getExtension.bind(config) as (name: string) => object | undefined;
  const adapted = new WeakSet<object>();
  const adapt = (tool: object) => {
    for (const name of ON_ONE_CONNECTION) {
      const method = Reflect.get(tool, name) as Method | undefined;
      if (method === undefined) continue;
      const connect = () => orm.driver.getConnection().ensureConnection();
      Reflect.set(tool, name, (...args: unknown[]) => one.run(connect, () => method.apply(tool, args)));
    }
    for (const name of LEAVING) {
      if (Reflect.has(tool, name)) Reflect.set(tool, name, async () => Promise.reject(leaving(name, connectionName)));
    }
    adapted.add(tool);
  };
  Object.assign(config, {
    getExtension(name: string) {
      const tool = getExtension(name);
      if (tool !== undefined && EXTENSIONS.includes(name) && !adapted.has(tool)) adapt(tool);
      return tool;
    },
  });
}

function leaving(method: string, connectionName: string): DbManagerError {
  return new DbManagerError(
    'DBM_UNSUPPORTED',
    `${method} would leave the database that this connection is configured for; do it with the tools of the server`,
    { connectionName },
  );
}
