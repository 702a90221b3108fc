import { pathToFileURL } from 'node:url';
import { type KyselyModule, loadKysely } from '@dbmanager/bridge-kysely';
import { resolvePeer } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { MikroORM } from '@mikro-orm/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type * as sql from '@mikro-orm/sql';

/** A MikroORM on an SQL database. */
export type SqlMikroOrm = MikroORM<sql.AbstractSqlDriver, sql.SqlEntityManager>;

/** A driver package of MikroORM, such as `@mikro-orm/postgresql`: each exports all of `@mikro-orm/sql`. */
export type MikroOrmModule = Omit<typeof sql, 'MikroORM'> & {
  readonly MikroORM: { init(options: object): Promise<SqlMikroOrm> };
};

/** A driver package, with what it brings itself. */
export interface MikroOrmPackage {
  readonly module: MikroOrmModule;
  /** MikroORM's own copy of Kysely. */
  readonly kysely: KyselyModule;
  /** Where its own dependencies are found. */
  readonly url: string;
}

/** Loads a driver package. Rejects with `DBM_PACKAGE_NOT_INSTALLED` when it is not installed. */
export async function loadMikroOrm(packageName: string, connectionName: string): Promise<MikroOrmPackage> {
  const by = 'the MikroORM bridge';
  const url = pathToFileURL(resolvePeer(packageName, import.meta.url, { by, connectionName })).href;
  const module = (await import(url)) as MikroOrmModule;
  return { module, url, kysely: loadKysely(url, by, connectionName) };
}
