import { type BridgeTarget, DbManagerError } from '@dbmanager/core';

/** The driver's own kind of pool over the shared one, as TypeORM's driver takes it. Throws `DBM_UNSUPPORTED` without. */
export function nativePool(target: BridgeTarget): object {
  const pool = target.engine.native?.(target);
  if (pool !== undefined) return pool as object;
  throw new DbManagerError('DBM_UNSUPPORTED', 'TypeORM needs the native pool of the connection, and it has none', {
    connectionName: target.name,
  });
}
