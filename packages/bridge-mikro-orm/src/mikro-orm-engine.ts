import type { TypeParsers } from '@dbmanager/bridge-kysely';
import { type BridgeTarget, loadPeer } from '@dbmanager/core';
import type { MikroOrmPackage, SqlMikroOrm } from './mikro-orm-module.js';

/** How a provider type is driven. */
export interface MikroOrmEngine {
  readonly packageName: string;
  /** MikroORM's own parsers of results. */
  types?(mikroOrm: MikroOrmPackage, connectionName: string): TypeParsers;
  /** Makes its connection fit for the shared pool. */
  adapt(orm: SqlMikroOrm, mikroOrm: MikroOrmPackage, target: BridgeTarget): void;
}

/** pg's number of the type `text[]`. */
const TEXT_ARRAY = 1009;

export const postgresEngine: MikroOrmEngine = {
  packageName: '@mikro-orm/postgresql',

  /** As MikroORM sets them on a pool of its own: dates and intervals stay text, which it reads itself. */
  types({ module, url }, connectionName) {
    const by = 'the MikroORM bridge';
    const { types } = loadPeer<{ types: TypeParsers }>('pg', url, { by, connectionName });
    const parsers: Readonly<Record<number, (value: string) => unknown>> = module.createPostgreSqlTypeParsers(
      types.getTypeParser(TEXT_ARRAY) as (text: string) => string[],
    );
    return {
      getTypeParser: (oid, format) =>
        (format === 'binary' ? undefined : parsers[oid]) ?? types.getTypeParser(oid, format),
    };
  },

  adapt(orm, _mikroOrm, target) {
    const pool = target.engine.native?.(target);
    Object.assign(orm.driver.getConnection(), { getNativeClient: async () => pool });
  },
};

/** What is needed of the native handle of SQLite. */
interface SqliteHandle {
  write(work: (database: { exec(sql: string): unknown }) => void): Promise<void>;
}

export const sqliteEngine: MikroOrmEngine = {
  packageName: '@mikro-orm/sqlite',

  adapt(orm, { module }, target) {
    const connection = orm.driver.getConnection();
    const { connect } = module.AbstractSqlConnection.prototype;
    const handle = target.engine.native?.(target) as SqliteHandle | undefined;
    Object.assign(connection, {
      // MikroORM's own for SQLite also switches foreign keys on, which is for the configuration to say.
      connect: (options?: { skipOnConnect?: boolean }) => connect.call(connection, options),
      executeDump: async (dump: string) => handle?.write((database) => void database.exec(dump)),
    });
  },
};
