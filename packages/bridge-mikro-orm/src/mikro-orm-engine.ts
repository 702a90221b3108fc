import type { SharedDialectOptions, TypeParsers } from '@dbmanager/bridge-kysely';
import { type BridgeTarget, loadPeer } from '@dbmanager/core';
import type { MikroOrmPackage, SqlMikroOrm } from './mikro-orm-module.js';

/** How a provider type is driven. */
export interface MikroOrmEngine {
  readonly packageName: string;
  /** How MikroORM wants its results to be read. */
  results?(mikroOrm: MikroOrmPackage, connectionName: string): SharedDialectOptions;
  /** Options of MikroORM that follow from the connection, for those that `options` leaves open. */
  defaults?(target: BridgeTarget, options: object): object;
  /** Its schema tools change settings of their connection, and do not change them back. */
  readonly schemaToolsSpoil?: boolean;
  /** Makes its connection fit for the shared pool. */
  adapt(orm: SqlMikroOrm, mikroOrm: MikroOrmPackage, target: BridgeTarget): void;
}

/** Has it give the driver's own kind of pool, over the shared one. */
export function giveNativeClient(orm: SqlMikroOrm, target: BridgeTarget): void {
  const pool = target.engine.native?.(target);
  Object.assign(orm.driver.getConnection(), { getNativeClient: async () => pool });
}

/** pg's number of the type `text[]`. */
const TEXT_ARRAY = 1009;

export const postgresEngine: MikroOrmEngine = {
  packageName: '@mikro-orm/postgresql',

  /** As MikroORM sets them on a pool of its own: dates and intervals stay text, which it reads itself. */
  results({ module, url }, connectionName) {
    const by = 'the MikroORM bridge';
    const { types } = loadPeer<{ types: TypeParsers }>('pg', url, { by, connectionName });
    const parsers: Readonly<Record<number, (value: string) => unknown>> = module.createPostgreSqlTypeParsers(
      types.getTypeParser(TEXT_ARRAY) as (text: string) => string[],
    );
    const getTypeParser: TypeParsers['getTypeParser'] = (oid, format) =>
      (format === 'binary' ? undefined : parsers[oid]) ?? types.getTypeParser(oid, format);
    return { types: { getTypeParser } };
  },

  adapt: (orm, _mikroOrm, target) => giveNativeClient(orm, target),
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
