import { pathToFileURL } from 'node:url';
import { type BridgeTarget, loadPeer, resolvePeer } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { DataSource, DataSourceOptions } from 'typeorm';
import type { TypeormModule } from './typeorm-module.js';
import { checkTypeormOptions, MONGODB_REFUSED, type TypeormBridgeOptions } from './typeorm-options.js';

/**
 * TypeORM on the client of a connection to MongoDB: a real, initialised `DataSource`, whose `destroy()` only detaches. What
 * TypeORM itself does there holds: its transactions are no transactions, and all of it is one query runner. Rejects with
 * `DBM_INVALID_OPTION`.
 */
export function openOnMongodb(
  typeorm: TypeormModule,
  target: BridgeTarget,
  options: TypeormBridgeOptions,
): Promise<DataSource> {
  checkTypeormOptions(options, MONGODB_REFUSED, target.name);
  const { name: _, ...passed } = options;
  const complete = {
    ...passed,
    type: 'mongodb',
    database: target.engine.identity.namespace,
    driver: {
      ...loadMongodb(target.name),
      // What TypeORM makes a client with gives it a handle of its own on the shared one.
      MongoClient: { connect: async () => target.engine.native?.(target) },
    },
  };
  return new typeorm.DataSource(complete as unknown as DataSourceOptions).initialize();
}

/** The very copy that TypeORM would load. */
function loadMongodb(connectionName: string): object {
  const request = { by: 'the TypeORM bridge', connectionName };
  const typeorm = pathToFileURL(resolvePeer('typeorm', import.meta.url, request)).href;
  return loadPeer<object>('mongodb', typeorm, request);
}
