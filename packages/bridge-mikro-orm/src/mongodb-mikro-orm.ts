import { pathToFileURL } from 'node:url';
import { type BridgeTarget, DbManagerError, loadPeer, resolvePeer } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { MikroORM } from '@mikro-orm/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { MongoDriver, MongoEntityManager } from '@mikro-orm/mongodb';

/** A MikroORM on MongoDB. */
export type MongoMikroOrm = MikroORM<MongoDriver, MongoEntityManager>;

const PACKAGE = '@mikro-orm/mongodb';

/**
 * MikroORM on the client of a connection to MongoDB: each connect of its own, the first and those after a `close()`, gets a
 * handle of its own, whose close only detaches. Rejects with `DBM_PACKAGE_NOT_INSTALLED`, or `DBM_UNSUPPORTED` when MikroORM
 * has another copy of the driver, whose classes it would not know.
 */
export async function openOnMongodb(target: BridgeTarget, options: object): Promise<MongoMikroOrm> {
  const { name: connectionName } = target;
  const by = 'the MikroORM bridge';
  const url = pathToFileURL(resolvePeer(PACKAGE, import.meta.url, { by, connectionName })).href;
  const { MongoClient } = loadPeer<{ MongoClient: new () => object }>('mongodb', url, { by, connectionName });
  const newHandle = () => target.engine.native?.(target);
  if (!(newHandle() instanceof MongoClient)) {
    throw new DbManagerError(
      'DBM_UNSUPPORTED',
      `${PACKAGE} has a copy of the package mongodb of its own, and would open a pool of its own; have npm install one copy for both: "overrides": { "mongodb": … }`,
      { connectionName },
    );
  }
  const { MikroORM } = (await import(url)) as { MikroORM: { init(options: object): Promise<MongoMikroOrm> } };
  return MikroORM.init({
    ...options,
    dbName: target.engine.identity.namespace ?? connectionName,
    driverOptions: newHandle,
  });
}
